"""What the dashboard costs, measured: ``mirante dashboard bench``."""
