"""Latency from a camera sending a frame to a program reading the results."""
