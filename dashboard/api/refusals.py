"""Requests that are not what a route takes, in the words of the configuration."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError

from pipeline.config.messages import path_of, show


def lines_of(error: Exception) -> list[str]:
    """One line per mistake: ``limit: "0" — input should be greater than or equal to 1``."""
    assert isinstance(error, RequestValidationError)
    lines = []
    for detail in error.errors():
        place = path_of(detail["loc"][1:]) or str(detail["loc"][0])
        if detail["type"] == "json_invalid":
            lines.append(f"{detail['loc'][0]}: expected JSON: {detail['ctx']['error']}")
        elif detail["type"] == "missing":
            lines.append(f"{place}: missing")
        elif detail["type"] == "value_error":
            lines.append(f"{place}: {show(detail['input'], place)} — {detail['ctx']['error']}")
        else:
            said = detail["msg"][:1].lower() + detail["msg"][1:]
            lines.append(f"{place}: {show(detail['input'], place)} — {said}")
    return lines
