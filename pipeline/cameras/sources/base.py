"""A kind of source: its addresses, the elements it needs, their text, their errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Literal, Protocol

from mirante.faults import FaultCode
from pipeline.cameras.content import Content
from pipeline.cameras.images import NewImages
from pipeline.cameras.reach import reach
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl
from pipeline.config.source_kinds import AddressKind
from pipeline.config.synthetic_options import SyntheticOptions

if TYPE_CHECKING:  # the description of a camera's address is made from the kinds
    from pipeline.config.camera import Camera

DECODE = "decodebin name=decode expose-all-streams=false caps=video/x-raw(ANY)"
BASE, GOOD, BAD = (f"gstreamer1.0-plugins-{name}" for name in ("base", "good", "bad"))

# What GStreamer's error of a resource tells: see ``pipeline.cameras.faults``.
Meaning = Literal["missing", "busy", "open", "read", "settings", "other"]


class Fetch(Protocol):
    """Video that Python fetches, for one graph.

    Attributes:
        next_number: where the next graph goes on; 0 for wherever it finds best.
        is_cut: the chunks have ended where the stream goes on with something else, for which
            another graph is needed at once.
        is_finite: it is a recording: the end of the chunks is its end.
    """

    next_number: int
    is_cut: bool
    is_finite: bool

    @property
    def calm_until_s(self) -> float:
        """Monotonic time until which silence is nothing to worry about."""
        ...

    @property
    def date_off_s(self) -> float | None:
        """How far the camera's clock is ahead of this machine's, to about a second, if known."""
        ...

    def chunks(self, stop: Event) -> Iterator[bytes]:
        """Yield what ``source`` is given, as it comes, until ``stop``.

        Raises:
            FetchError: nothing more comes.
        """
        ...

    def abort(self) -> None:
        """End what is under way, from another thread."""
        ...

    def close(self) -> None:
        """Release what was opened, when the chunks have ended."""
        ...


@dataclass(frozen=True, slots=True)
class Contents:
    """What an answer over HTTP is expected to hold.

    Attributes:
        name: its name for people.
        wanted: all that it may hold.
    """

    name: str
    wanted: frozenset[Content]


@dataclass(frozen=True, slots=True)
class Source:
    """The source that a camera's address names.

    Attributes:
        launch: elements from the source to raw video; the first is named ``source``.
        pace: at which frames are taken that do not come at a pace of their own; else None.
        secrets: properties of ``source`` that are set behind the text's back, since the text is
            shown and logged.
        drawn: the frames are drawn here, as these options say, and handed to ``source``.
        images: the frames are image files of this place, decoded here and handed to ``source``.
        idle: what it waits for in silence, which is then no fault; "" where silence is one.
        rewinds: a recording is begun again by a seek, else by a graph of its own.
        fetch: makes what ``source`` is fed with, given the ``next_number`` of the graph before.
        keeps_rate: it gives no more than the camera's maximum rate.
        offers_streams: ``source`` asks which of the camera's streams are wanted.
        sender: the address to which a camera sends by itself, at a time of its own; "" where the
            camera is called.
        is_called: ``source`` takes the calls of senders, of which it hears one.
        contents: what an answer over HTTP is expected to hold; None for anything.
        follows: its frames come decoded and timed, from another camera's session.
    """

    launch: str
    pace: Literal["realtime", "every_frame"] | None = None
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    drawn: SyntheticOptions | None = None
    images: NewImages | None = None
    idle: str = ""
    rewinds: bool = True
    fetch: Callable[[int], Fetch] | None = None
    keeps_rate: bool = False
    offers_streams: bool = False
    sender: str = ""
    is_called: bool = False
    contents: Contents | None = None
    follows: bool = False

    @property
    def is_fed(self) -> bool:
        """True if its frames are made outside the graph, at their pace."""
        return self.drawn is not None or self.images is not None

    @property
    def live(self) -> bool:
        """True if it never ends, as far as the address tells."""
        return self.pace is None or self.fetch is not None

    @property
    def is_read_at_will(self) -> bool:
        """True if its frames are there already, and each is taken once the stages are free."""
        return self.pace == "every_frame" and not self.live and not self.idle


@dataclass(frozen=True, slots=True)
class Part:
    """A GStreamer element that a kind of source needs, and the Debian package that has it."""

    element: str
    purpose: str
    package: str


def words_alone(_url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    """GStreamer's own words, of a source whose errors say enough."""
    code = {"open": FaultCode.NO_ACCESS, "settings": FaultCode.INVALID}
    return Fault(code.get(meaning, FaultCode.OTHER), words)


@dataclass(frozen=True, kw_only=True)
class SourceKind(AddressKind):
    """A kind of source: all that is known of it.

    Attributes:
        source: what a camera's address asks for.
        parts: the elements that it needs.
        reach: finds how far a connection gets, within so many seconds; None where nothing stops it.
        log_in: answers, within so many seconds, a login that its element does not know: a field
            ``Authorization``, or why there is none; None where the element knows it.
        detailed: its elements say why in the details of an error alone, so ``explain`` gets both.
        explain: what an error of its resource means, given GStreamer's words without secrets; None
            when only the network can tell.
    """

    source: Callable[[Camera], Source]
    parts: tuple[Part, ...]
    reach: Callable[[CameraUrl, float], Fault | None] = reach
    log_in: Callable[[CameraUrl, float], str | Fault | None] | None = None
    detailed: bool = False
    explain: Callable[[CameraUrl, Meaning, str], Fault | None] = words_alone
