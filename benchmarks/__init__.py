"""segkit beside its peers, as ratios within one run."""
