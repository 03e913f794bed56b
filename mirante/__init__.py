"""The part of Mirante that a consumer installs: result types, wire format and subscriber."""

from typing import TYPE_CHECKING, Any

from mirante.detections import Attribute, Detections
from mirante.frame import Counts, FrameResult
from mirante.mask import Mask

if TYPE_CHECKING:
    from mirante.client.items import Frame, Gap
    from mirante.client.reader import SubscribeError
    from mirante.client.subscription import subscribe
    from mirante.status import Status

__all__ = [
    "Attribute",
    "Counts",
    "Detections",
    "Frame",
    "FrameResult",
    "Gap",
    "Mask",
    "Status",
    "SubscribeError",
    "subscribe",
]

_LAZY = {  # a pipeline that only makes results loads no Redis client
    "Frame": "mirante.client.items",
    "Gap": "mirante.client.items",
    "Status": "mirante.status",
    "SubscribeError": "mirante.client.reader",
    "subscribe": "mirante.client.subscription",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mirante' has no attribute {name!r}")
