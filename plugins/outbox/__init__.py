"""The outbox: a ring of results, and the one sender that speaks to Redis."""
