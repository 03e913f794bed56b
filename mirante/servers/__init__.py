"""Reach Redis as it is run: one server, the primary that Sentinels name, or a cluster."""
