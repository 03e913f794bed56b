"""From a video's own colours to RGB."""
