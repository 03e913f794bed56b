"""Looking inside a network: every tensor on its way, and where two runtimes part."""
