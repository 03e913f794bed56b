"""Runtimes that ask a model server."""
