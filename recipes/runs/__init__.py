"""What every recipe does with its plan: arguments, folder, training, scores, report."""
