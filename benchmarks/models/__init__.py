"""Measure engines: time, share of the machine's peak, the batcher's cost and gain."""
