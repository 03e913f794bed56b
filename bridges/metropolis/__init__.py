"""NVIDIA Metropolis: results as ``nv.Frame`` or DeepStream's minimal JSON on ``mdx-raw``."""
