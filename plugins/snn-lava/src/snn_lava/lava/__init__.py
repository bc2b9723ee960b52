"""Lava, where a user has it: the vendor's own software runs an exported file."""
