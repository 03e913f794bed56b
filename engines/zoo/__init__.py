"""Manifests of the public models that are known by name; their weights are not here."""
