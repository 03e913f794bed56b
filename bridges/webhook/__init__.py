"""Webhooks: an HTTP request for each event, signed, retried, and kept where it is refused."""
