"""Printers of kernels, one per language."""
