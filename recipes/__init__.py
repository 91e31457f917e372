"""One file a paper: ``python -m recipes.<name>``."""
