"""What happened to tracked objects: events, their images, and counts over time."""
