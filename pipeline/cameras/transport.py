"""The way that a camera's media travels, where it may be chosen."""

from __future__ import annotations

from mirante.faults import FaultCode
from pipeline.cameras.answers import no_transport
from pipeline.cameras.state import Fault
from pipeline.config.camera import Camera


class Transport:
    """The transports of one camera: with ``auto`` TCP, and UDP where TCP gives nothing.

    A transport that gave images is kept, also when the camera is lost later.

    Attributes:
        current: ``tcp`` or ``udp``; for a source that has no choice, whatever its option says.
    """

    def __init__(self, spec: Camera) -> None:
        ways = spec.url.endpoint.transports if spec.url.endpoint else ()
        is_free = spec.transport == "auto" and ways
        self._ways: tuple[str, ...] = ways if is_free else (spec.transport,)
        self._tried: list[str] = []
        self._refused: set[str] = set()
        self.current: str = self._ways[0]
        self._remark = ""

    def spec(self, spec: Camera) -> Camera:
        """Return the camera with the current transport as its option."""
        return spec.model_copy(update={"transport": self.current})

    def works(self) -> str:
        """Images came; returns why not by the first transport, in words, or nothing."""
        self._tried.clear()
        self._refused.clear()
        return self._remark

    def told(self, fault: Fault) -> Fault:
        """Return the fault that ends an attempt, with every transport in it that was refused."""
        refused = [way for way in self._ways if way in self._refused]
        return no_transport(*refused) if fault.code == FaultCode.WRONG_TRANSPORT else fault

    def turn(self, is_refused: bool, is_silent: bool) -> str | None:
        """Take another transport after an attempt that gave no image.

        Args:
            is_refused: the camera answered that it does not support the transport.
            is_silent: it agreed to it, and then sent nothing.

        Returns:
            What to say about it; None where there is no other to try, or the trouble is another.
        """
        if not (is_refused or is_silent):
            return None
        self._tried.append(self.current)
        if is_refused:
            self._refused.add(self.current)
        left = [way for way in self._ways if way not in self._tried]
        if not left:
            self._tried.clear()
            return None
        failed, self.current = self.current.upper(), left[0]
        why = f"the camera refuses {failed}" if is_refused else f"no video came over {failed}"
        self._remark = f"media travels over {self.current.upper()}: {why}"
        return f"{why}; trying {self.current.upper()}"
