"""Bridges: subscribers that carry results and events from Redis to where others listen."""
