from __future__ import annotations

import subprocess
import sys

import snn_models
import snncore


def test_declaring_imports_no_torch():
    code = "import sys, snn_models, snn_models._plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_model_is_registered():
    names = {c.name for c in snncore.components("model") if c.provider == "snn-models"}
    assert names == {"mlp", "convnet", "rsnn"}
    assert snncore.get("model", "convnet") is snn_models.ConvNet


def test_unknown_name_is_an_attribute_error():
    assert not hasattr(snn_models, "Transformer")
    assert "MLP" in dir(snn_models)
