"""What a PromQL expression asks for: metrics, matchers and labels, by reading its tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\()(?![\w:])")
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*')


@dataclass(frozen=True)
class Asked:
    """Metrics with their matchers (label, operator, value), and labels that are grouped by."""

    selectors: list[tuple[str, list[tuple[str, str, str]]]] = field(default_factory=list)
    grouping: set[str] = field(default_factory=set)


def read(expression: str) -> Asked:
    """Takes an expression apart.

    Raises:
        ValueError: something between braces is no matcher.
    """
    asked = Asked()
    for labels in _GROUPING.findall(expression):
        asked.grouping.update(label.strip() for label in labels.split(",") if label.strip())
    rest = re.sub(r"\[[^\]]*\]", "", _GROUPING.sub("", expression))
    for name, braces in _SELECTOR.findall(rest):
        if name not in _WORDS:
            asked.selectors.append((name, _matchers(braces)))
    return asked


def _matchers(braces: str) -> list[tuple[str, str, str]]:
    found = []
    rest = braces.strip("{}")
    while rest:
        match = _MATCHER.match(rest)
        if match is None:
            raise ValueError(f"no matcher: {rest}")
        found.append((match[1], match[2], match[3]))
        rest = rest[match.end() :].removeprefix(",")
    return found
