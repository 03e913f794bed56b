"""Everything of the pipeline that touches GStreamer; no other folder here imports gi."""
