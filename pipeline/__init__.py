"""Cameras, GStreamer graphs, threads, workers, configuration and the command line."""
