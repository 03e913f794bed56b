"""The fleet's own code over a real Redis, with workers that only say that they work."""
