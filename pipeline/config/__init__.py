"""Settings: what a configuration file may say."""
