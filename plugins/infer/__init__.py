"""The stage that runs a model."""
