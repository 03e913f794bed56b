"""Cameras that may allow one session: when the worker before has to end its own first."""

from __future__ import annotations

from mirante.faults import FaultCode

LATE_S = 8.0  # in which a camera that is taken over gives a frame, or has refused the other session

# What a camera that has a session says to another, or does in the place of an answer. Any other
# fault (no route, no such file, no login) is there whoever has a session.
_MAY_BE_FULL = frozenset(
    {
        FaultCode.CAMERA_FULL,
        FaultCode.UNAVAILABLE,
        FaultCode.SESSION_LOST,
        FaultCode.CAMERA_ERROR,
        FaultCode.REJECTED,
        FaultCode.REFUSED,
        FaultCode.CALL_REFUSED,
        FaultCode.UNRESPONSIVE,
        FaultCode.NO_VIDEO,
        FaultCode.STALLED,
        FaultCode.ENDED,
        FaultCode.BUSY,
        FaultCode.OTHER,
    }
)


def may_be_full(code: str | None) -> bool:
    """Return whether a camera may refuse a session because another has one.

    Args:
        code: of its fault, a ``FaultCode``; None where no attempt has failed: it connects, or its
            model is loading.
    """
    return code in _MAY_BE_FULL
