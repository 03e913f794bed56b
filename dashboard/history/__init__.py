"""The last minutes of all cameras, sampled once a second."""
