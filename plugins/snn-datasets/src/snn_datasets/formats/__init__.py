"""Decoders and writers of event files."""
