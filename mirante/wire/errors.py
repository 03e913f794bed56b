"""The one error of the wire format."""


class WireError(ValueError):
    """A message cannot be written, or what was read is not one."""
