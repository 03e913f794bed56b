"""Training of networks of our own: pictures and teachers in, an ONNX file and its manifest out."""
