"""From a trained classifier to a SavedModel that proves to be the same."""
