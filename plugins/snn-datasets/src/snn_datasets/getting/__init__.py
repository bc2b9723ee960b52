"""How files of a dataset come here: downloads, and what a person fetched."""
