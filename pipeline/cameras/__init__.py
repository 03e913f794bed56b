"""Cameras: their sources, graphs, states and faults; without GStreamer."""
