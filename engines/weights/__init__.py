"""Models of our own, weights and all: each a manifest, its ONNX file and its card."""
