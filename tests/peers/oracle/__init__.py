"""What this library and others compute for the same model, side by side.

The tables of pairs and of differences import no other library; what they build does.
"""
