"""Measure a model on labelled images or against another model."""
