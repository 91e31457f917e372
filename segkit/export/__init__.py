"""SavedModels for serving."""
