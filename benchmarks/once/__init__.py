"""Count crossings of a line under faults: each once, none lost."""
