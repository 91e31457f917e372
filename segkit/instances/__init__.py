"""Objects with ids of their own, from probabilities and masks."""
