"""Filters of events: ``label = person and zone = gate``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple, NoReturn, get_args

from mirante.events import Event, EventKind
from mirante.nearest import similar
from mirante.nesting import LEVELS

Test = Callable[[Event], bool]

TEXT = ("id", "camera", "kind", "label", "zone", "line", "direction", "clip", "reason", "version")
NUMBERS = (
    *("ts", "seq", "epoch", "track_id", "score", "count", "dwell_s", "speed_kmh"),
    *("speed_error_kmh", "distance_m", "best"),
)
FLAGS = ("image", "active")
FIELDS = (*TEXT, *NUMBERS, *FLAGS)
MOST = 4096
"""Maximum length of a filter, in characters."""

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OF_TEXT, _OF_NUMBERS = ("=", "!=", "in"), ("=", "!=", *_ORDERS, "in")
_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<sign>[<>!=]=|[<>=(),])"""
    r"""|(?P<word>[^\s()=!<>,"']+)|(?P<open>["'].*)|(?P<other>\S))""",
    re.DOTALL,
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)


class WhereError(ValueError):
    """A filter cannot be read.

    Attributes:
        position: the place of the word, in characters from 1.
        word: the word that is wrong; empty at the end of the filter.
        expected: in words.
    """

    def __init__(self, position: int, word: str, expected: str, hint: str = "") -> None:
        self.position, self.word, self.expected = position, word, expected
        got = f'"{word[:40]}"' if word else "the end"
        super().__init__(
            f"where: position {position}: expected {expected}, got {got}{hint and '; '}{hint}"
        )


class Where:
    """A filter: true of the events that it lets through.

    ``field op value`` with ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``in (value, value)``,
    joined by ``and``, ``or``, ``not`` and parentheses; ``and`` binds closer than ``or``. A value
    with spaces or signs is quoted. A number that an event does not have equals nothing and is
    neither less nor greater; a text that it does not have is ``""``.

    Args:
        text: the filter.

    Raises:
        WhereError: naming the position, the word and what was expected there.
    """

    __slots__ = ("_test", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._test = _Parser(text).parsed()

    def __call__(self, event: Event) -> bool:
        """Return whether an event passes."""
        return self._test(event)

    def __repr__(self) -> str:
        return f"Where({self.text!r})"


class _Token(NamedTuple):
    """A word, a sign or a quoted value.

    Attributes:
        text: without its quotes.
        position: in characters from 1.
        kind: ``word``, ``sign``, ``quoted``, ``other``, or ``end``.
    """

    text: str
    position: int
    kind: str

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words

    def is_sign(self, *signs: str) -> bool:
        return self.kind == "sign" and self.text in signs


def _tokens(text: str) -> list[_Token]:
    if len(text) > MOST:
        raise WhereError(MOST + 1, text[MOST:], f"a filter of up to {MOST} characters")
    found = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        word, position = match[kind], match.start(kind) + 1
        if kind == "open":
            raise WhereError(position, word, f"a value with a closing {word[0]}")
        if kind == "quoted":
            word = re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)
        found.append(_Token(word, position, kind))
    return [*found, _Token("", len(text) + 1, "end")]


class _Parser:
    """Reads a filter from left to right, a method for each rule of its grammar."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def parsed(self) -> Test:
        """Return the test of the whole filter."""
        test = self._any()
        if self._next.kind != "end":
            self._refuse_rest("and, or or the end")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._next.is_word("or"):
            self._take()
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda event: any(t(event) for t in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._next.is_word("and"):
            self._take()
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda event: all(t(event) for t in tests)

    def _one(self) -> Test:
        if not (self._next.is_word("not") or self._next.is_sign("(")):
            return self._comparison()
        opening = self._take()
        self._depth += 1
        if self._depth > LEVELS:
            raise _error(opening, f"up to {LEVELS} levels of parentheses and not")
        test = self._negated(self._one()) if opening.kind == "word" else self._enclosed()
        self._depth -= 1
        return test

    @staticmethod
    def _negated(test: Test) -> Test:
        return lambda event: not test(event)

    def _enclosed(self) -> Test:
        test = self._any()
        if not self._next.is_sign(")"):
            self._refuse_rest('and, or or ")"')
        self._take()
        return test

    def _comparison(self) -> Test:
        name = self._field()
        is_number = name in NUMBERS
        ops = _OF_NUMBERS if is_number else _OF_TEXT
        token = self._take()
        is_negated = token.is_word("not") and self._next.is_word("in")
        if is_negated:
            token = self._take()
        op = token.text.lower()
        if op not in ops or token.kind not in {"sign", "word"}:
            kind = "number" if is_number else "flag" if name in FLAGS else "text"
            expected = f"{', '.join(ops[:-1])} or {ops[-1]} after {name}, a {kind}"
            raise _error(token, expected, ops)
        values = self._values(name) if op == "in" else [self._value(name)]
        test = _comparison(name, op, values)
        return self._negated(test) if is_negated else test

    def _field(self) -> str:
        token = self._take()
        if token.kind != "word" or token.text not in FIELDS:
            raise _error(token, f"a field of events ({', '.join(FIELDS)})", FIELDS)
        return token.text

    def _values(self, name: str) -> list[Any]:
        if not self._next.is_sign("("):
            raise _error(self._next, '"(" and values with commas between after in')
        self._take()
        values = [self._value(name)]
        while self._next.is_sign(","):
            self._take()
            values.append(self._value(name))
        if not self._next.is_sign(")"):
            self._refuse_rest('a comma or ")"')
        self._take()
        return values

    def _value(self, name: str) -> Any:
        token = self._take()
        if token.kind not in {"word", "quoted"} or token.is_word("and", "or"):
            raise _error(token, f"a value of {name}")
        if name in NUMBERS:
            return _number(token, name)
        if name in FLAGS:
            if token.text not in {"true", "false"}:
                raise _error(token, f"true or false of {name}", ("true", "false"))
            return token.text == "true"
        if name == "kind" and token.text not in (kinds := get_args(EventKind)):
            raise _error(token, f"a kind of events ({', '.join(kinds)})", kinds)
        return token.text

    def _refuse_rest(self, expected: str) -> NoReturn:
        token, before = self._next, self._tokens[self._at - 1]
        hint = ""
        if token.kind == before.kind == "word" and token.text[0].isalnum():
            hint = f'a value of several words is quoted: "{before.text} {token.text}"'
        raise _error(token, expected, ("and", "or"), hint)


def _error(token: _Token, expected: str, known: Iterable[str] = (), hint: str = "") -> WhereError:
    near = similar(token.text, known) if token.text else []
    return WhereError(
        token.position, token.text, expected, f'did you mean "{near[0]}"?' if near else hint
    )


def _number(token: _Token, name: str) -> float:
    if not _NUMBER.fullmatch(token.text) or not math.isfinite(float(token.text)):
        raise _error(token, f"a number after {name}")
    text = token.text
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _comparison(name: str, op: str, values: list[Any]) -> Test:
    get, value = attrgetter(name), values[0]
    if op == "in":
        return lambda event: get(event) in values
    if op == "=":
        return lambda event: bool(get(event) == value)
    if op == "!=":
        return lambda event: bool(get(event) != value)
    compare = _ORDERS[op]
    return lambda event: (found := get(event)) is not None and compare(found, value)
