"""The line beside its floor and beside good loops."""
