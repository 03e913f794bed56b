"""What the gate saves and what it costs, on scenes of which it is known when something moves."""
