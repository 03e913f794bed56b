"""The subscriber. Everything but I/O is shared by ``subscribe`` and its async twin."""
