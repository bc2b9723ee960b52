"""Files within archives and folders, read in place."""
