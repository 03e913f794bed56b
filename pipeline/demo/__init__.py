"""The demonstration's cameras and its account."""
