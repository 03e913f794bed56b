"""A kind of source: its addresses, the elements it needs, their text, their errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

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
        pace: of a recording, which has none of its own; None for a source that continues for ever.
        secrets: properties of ``source`` that are set behind the text's back, since the text is
            shown and logged.
        drawn: the frames are drawn here, as these options say, and handed to ``source``.
        images: the frames are image files of this place, decoded here and handed to ``source``.
        idle: what it waits for in silence, which is then no fault; "" where silence is one.
        offers_streams: ``source`` asks which of the camera's streams are wanted.
        sender: the address to which a camera sends by itself, at a time of its own; "" where the
            camera is called.
        contents: what an answer over HTTP is expected to hold; None for anything.
    """

    launch: str
    pace: Literal["realtime", "every_frame"] | None = None
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    drawn: SyntheticOptions | None = None
    images: NewImages | None = None
    idle: str = ""
    offers_streams: bool = False
    sender: str = ""
    contents: Contents | None = None

    @property
    def is_fed(self) -> bool:
        """True if its frames are made outside the graph, at their pace."""
        return self.drawn is not None or self.images is not None

    @property
    def live(self) -> bool:
        """True if it never ends and sets its own pace."""
        return self.pace is None


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
