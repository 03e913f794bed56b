"""Models: manifest, store, runtimes, pre- and post-processing."""
