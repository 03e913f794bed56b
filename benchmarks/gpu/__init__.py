"""Everything that a machine's NVIDIA GPU does for Mirante, measured by one command."""
