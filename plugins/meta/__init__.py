"""Convert a frame's result to GStreamer's own analytics metadata, and back."""
