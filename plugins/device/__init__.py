"""Decoded frames that stay in the memory of an NVIDIA GPU.

A buffer of caps ``SURFACES`` holds no pixels but the number of a surface (``surfaces.py``), so that
GStreamer's own counting of references says when the surface is given back, whoever decoded it.
"""
