"""Live pictures with their results, from Redis to every page that watches."""
