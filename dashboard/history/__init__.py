"""What cameras did over the last minutes, sampled once a second."""
