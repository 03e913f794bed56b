"""Networks of our own, in plain PyTorch: needed to train and export, never to run."""
