"""What a consumer of Mirante installs: the result types, the wire format and the subscriber."""

from mirante.detections import Detections
from mirante.frame import Counts, FrameResult
from mirante.mask import Mask

__all__ = ["Counts", "Detections", "FrameResult", "Mask"]
