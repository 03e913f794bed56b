"""Zones and lines as a stage."""
