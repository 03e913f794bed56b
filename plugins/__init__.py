"""GStreamer elements, thin over plain functions of a frame and its result."""
