"""The errors of the wire format."""

import msgspec

# What a decoder of JSON from outside raises, of what is nested too deep too.
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


class WireError(ValueError):
    """A message cannot be written, or what was read is not one."""
