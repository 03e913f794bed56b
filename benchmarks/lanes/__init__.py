"""Lanes on roads whose truth is known: how far each line is off, how late, and what it costs."""
