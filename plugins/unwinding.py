"""Keeps C++ exceptions working beside GStreamer. Imported before any ``gi``.

Debian's libgstreamer links libunwind, which has functions of the same names as GCC's own unwinder.
gi loads it for all to see, so that an exception thrown in ONNX Runtime later (a file that is no
model, a shape that does not fit) is unwound by the wrong one of the two, and the process ends. The
first library to be seen wins.
"""

from __future__ import annotations

import ctypes

ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)
