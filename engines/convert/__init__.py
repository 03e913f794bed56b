"""Models of other frameworks into ONNX and a manifest, and out to phones."""
