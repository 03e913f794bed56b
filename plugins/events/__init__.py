"""Report what happens to tracked objects: events, their images, and counts over time."""
