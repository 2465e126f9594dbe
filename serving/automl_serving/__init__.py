"""The scoring gateway and the embedded model server."""
