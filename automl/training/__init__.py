"""From pixels to a trained classifier: schedules, features, fine-tuning, one trial."""
