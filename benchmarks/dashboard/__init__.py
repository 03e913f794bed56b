"""Measure what the dashboard costs: ``mirante bench dashboard``."""
