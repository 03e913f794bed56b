"""The part of Mirante that a consumer installs: result types, wire format and subscriber."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirante.client.items import Frame, Gap
    from mirante.client.reader import SubscribeError
    from mirante.client.subscription import subscribe
    from mirante.detections import Attribute, Detections
    from mirante.events import Event
    from mirante.frame import Counts, FrameResult
    from mirante.lanes import Lanes
    from mirante.mask import Mask
    from mirante.status import Status

__all__ = [
    "Attribute",
    "Counts",
    "Detections",
    "Event",
    "Frame",
    "FrameResult",
    "Gap",
    "Lanes",
    "Mask",
    "Status",
    "SubscribeError",
    "subscribe",
]

_LAZY = {  # keys and hints load no NumPy, and a pipeline that only makes results no Redis client
    "Attribute": "mirante.detections",
    "Counts": "mirante.frame",
    "Detections": "mirante.detections",
    "Event": "mirante.events",
    "Frame": "mirante.client.items",
    "FrameResult": "mirante.frame",
    "Gap": "mirante.client.items",
    "Lanes": "mirante.lanes",
    "Mask": "mirante.mask",
    "Status": "mirante.status",
    "SubscribeError": "mirante.client.reader",
    "subscribe": "mirante.client.subscription",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mirante' has no attribute {name!r}")
