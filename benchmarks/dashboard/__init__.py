"""What the dashboard costs, measured: ``mirante bench dashboard``."""
