"""Decoded events kept on disk: where, of what, how they are read and how they are made."""
