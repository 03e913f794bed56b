"""Clips: a ring of encoded images per camera, and video files made of it."""
