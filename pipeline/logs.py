"""Configure a worker's log: lines for people, or JSON for machines; never a password."""

from __future__ import annotations

import json
import logging
import sys
import time

from pipeline.config.camera_url import redact
from pipeline.config.settings import Log

_TEXT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"


class TextFormatter(logging.Formatter):
    """Format one line for people, in local time."""

    def __init__(self) -> None:
        super().__init__(_TEXT, "%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The line, with what may be credentials in addresses replaced."""
        return redact_lines(super().format(record))


class JsonFormatter(logging.Formatter):
    """Format one JSON object a line: time (RFC 3339, UTC), level, logger, message, error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with what may be credentials in addresses replaced."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact_lines(record.getMessage()),
        }
        if record.exc_info:
            entry["error"] = redact_lines(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def configure_logs(settings: Log) -> None:
    """Sends all logs to stderr as ``settings`` says, once per process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)


def redact_lines(text: str) -> str:
    """Each line without credentials."""
    return "\n".join(redact(line) for line in text.split("\n"))
