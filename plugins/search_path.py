"""Imports OpenCV without letting it replace the list ``sys.path``.

GStreamer's loader of Python plugins keeps a pointer to that list while it imports our elements.
OpenCV puts another list in its place, the old one is freed, and the loader writes to freed memory.
"""

from __future__ import annotations

import sys

_path = sys.path
import cv2  # noqa: F401

_path[:] = sys.path
sys.path = _path
