"""The image for people, and what is made unrecognisable in it."""
