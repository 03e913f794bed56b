"""Outages of what traces and metrics are sent to, each told once."""

from __future__ import annotations

import logging

from pipeline.config.camera_url import redact

log = logging.getLogger(__name__)

_LONGEST = 200  # characters of a reason


class Outage(logging.Handler):
    """Takes the place of the log of OpenTelemetry's exporters, until closed.

    Args:
        address: where is sent to, for people.

    Attributes:
        out: what could not be sent at its last attempt: ``traces``, ``metrics``.
    """

    def __init__(self, address: str) -> None:
        super().__init__(logging.WARNING)
        self.out: set[str] = set()
        self._address, self._words, self._said = redact(address), "", ""
        self._theirs = logging.getLogger("opentelemetry")
        self._theirs.addHandler(self)
        self._theirs.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the reason that an exporter gives."""
        if words := _reason(record):
            self._words = words

    def note(self, signal: str, is_sent: bool) -> None:
        """Tell of the first failure, of one with another reason, and when all is over."""
        words, self._words = self._words or "no answer", ""
        if not is_sent:
            if signal not in self.out and words != self._said:
                log.warning("telemetry: %s: %s; %s are lost", self._address, words, signal)
            self.out.add(signal)
            self._said = words
        elif signal in self.out:
            self.out.remove(signal)
            if not self.out:
                self._said = ""
                log.info("telemetry: %s takes traces and metrics again", self._address)

    def close(self) -> None:
        """Let exporters log by themselves again."""
        self._theirs.removeHandler(self)
        self._theirs.propagate = True
        super().close()


def _reason(record: logging.LogRecord) -> str:
    """Return why something was not sent, as far as a line of an exporter's log says it."""
    values = record.args if isinstance(record.args, tuple) else ()
    error = next((value for value in values if isinstance(value, BaseException)), None)
    if error is not None:
        return _root(error)
    status = next((value for value in values if isinstance(value, int)), None)
    return "" if status is None else f"it answers {status} {values[-1]}"


def _root(error: BaseException) -> str:
    """The words of what lies at the root of an error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return redact(" ".join(str(error).split()))[:_LONGEST] or type(error).__name__
