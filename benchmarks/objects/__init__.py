"""Measure the accuracy and cost of tracking on synthetic scenes with ground truth."""
