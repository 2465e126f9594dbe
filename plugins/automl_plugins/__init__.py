"""The built-in plugins, one component a file; they use the public plugin API only."""
