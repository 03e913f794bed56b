"""Files of models and engines on this machine."""
