"""Live images with their results, from Redis to every page that watches."""
