"""What engines cost: time, share of the machine's own peak, the batcher's price and gain."""
