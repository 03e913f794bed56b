"""``mirante bench soak``: a whole site under faults, and whether anything grows."""
