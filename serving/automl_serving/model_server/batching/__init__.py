"""Runs the rows of several requests together, as TF Serving's batching does."""
