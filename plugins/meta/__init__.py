"""What is known of a frame as GStreamer's own analytics metadata, and back."""
