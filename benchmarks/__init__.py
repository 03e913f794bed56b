"""Measure what Mirante costs, beside its floor and beside others, in one run."""
