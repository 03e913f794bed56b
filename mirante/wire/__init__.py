"""Wire format 1: what stands in a Redis entry."""

from mirante.wire.codec import Encoded, decode, encode
from mirante.wire.errors import WireError

__all__ = ["Encoded", "WireError", "decode", "encode"]
