"""The line beside its floor and beside a plain loop."""
