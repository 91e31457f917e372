"""What a run is: plan, folder, lock, resume, training, scores, report."""
