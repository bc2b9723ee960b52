raise ImportError("torch is not here")
