"""Manifests of the models that are known by name; the weights are not here."""
