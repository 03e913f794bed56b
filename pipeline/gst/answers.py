"""Listen to what a camera answers to the element that asks it."""

from __future__ import annotations

from typing import Any, Protocol

from pipeline.cameras.sources.base import Source
from pipeline.cameras.state import Fault
from pipeline.config.camera import Camera
from pipeline.gst.http_answers import HttpAnswers
from pipeline.gst.rtsp_answers import RtspAnswers
from plugins.thread_times import ThreadTimes


class Answers(Protocol):
    """What a camera has answered.

    Attributes:
        fault: why it gives no video, as far as it has said so; another answer may take that back.
        date_off_s: how far its clock is ahead of this machine's, to about a second; None where its
            answers name no date.
    """

    fault: Fault | None
    date_off_s: float | None

    @property
    def is_final(self) -> bool:
        """True once nothing else will come."""
        ...

    def failed(self, message: Any) -> None:
        """Note an error message of the graph."""


def answers_to(element: Any, spec: Camera, source: Source, threads: ThreadTimes) -> Answers | None:
    """Return what hears the answers to a source element; None for one whose errors say enough."""
    factory = element.get_factory().get_name()
    if factory == "rtspsrc":
        answers = RtspAnswers(element, spec.url, spec.transport)
        answers.conversation.threads = threads
        return answers
    if factory == "souphttpsrc":
        return HttpAnswers(element, spec.url, source.contents)
    return None
