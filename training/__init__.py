"""Making models of our own and judging any model; running never loads it."""
