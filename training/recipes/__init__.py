"""Training of networks of our own: images and teachers in, an ONNX file and its manifest out."""
