"""Everything of the pipeline that touches GStreamer; no other folder here imports gi."""

import plugins.unwinding  # noqa: F401 - before gi
