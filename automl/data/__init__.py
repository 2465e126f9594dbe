"""Images on disk to arrays: datasets, splits and the pixel cache."""
