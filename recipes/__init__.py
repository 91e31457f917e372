"""One file per paper: ``python -m recipes.<name>``; what they share in ``segkit.experiments``."""
