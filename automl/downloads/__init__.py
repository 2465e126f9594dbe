"""Fetches what addresses lead to that others have given, and nothing on the way but that."""
