"""The embedded model server: speaks TF Serving's protocol for one SavedModel."""
