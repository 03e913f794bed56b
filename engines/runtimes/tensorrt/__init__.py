"""TensorRT and TensorRT for RTX, as one runtime."""
