"""Tracking: the same number for the same object, from frame to frame; a folder an algorithm."""
