"""What following objects is worth and costs, on scenes whose truth is known."""
