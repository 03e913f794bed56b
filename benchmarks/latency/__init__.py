"""How long it takes from a camera's sending a frame to a program's reading its results."""
