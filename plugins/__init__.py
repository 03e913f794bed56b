"""GStreamer elements, thin over plain functions of a frame and its result."""

import plugins.search_path
import plugins.unwinding  # noqa: F401 - before gi, which every element imports
