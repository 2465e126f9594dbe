"""The scoring gateway: pictures in, labels out, in front of any server of TF Serving's protocol."""
