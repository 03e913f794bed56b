"""The commands ``mirante train`` and ``mirante eval``."""
