"""Filters of events."""

import itertools
import random
from typing import Any

import msgspec
import pytest

from mirante import Event
from mirante.where import FIELDS, MOST, Where, WhereError
from tests.support.wire_frames import some_event

EVENT = some_event(active=True, zone="main door", count=3)
BARE = Event(id="b", camera="gate", kind="camera-lost", ts=5.0)


def test_every_field_of_one_value_can_be_asked_for() -> None:
    assert set(FIELDS) == set(Event.__struct_fields__) - {"bbox", "votes", "path"}
    for name in FIELDS:
        value: Any = getattr(EVENT, name)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert Where(f'{name} = "{text}"')(EVENT), name
        assert not Where(f'{name} != "{text}"')(EVENT), name
        assert not Where(f'{name} = "{text}"')(BARE) or name in {"camera", "version"}


@pytest.mark.parametrize(
    "text",
    [
        "label = person and line = gate",
        "label=person and(line=gate)",
        "label = car or label = person",
        "label = car and zone = x or line = gate",  # and binds closer
        "line = gate or label = car and zone = x",
        "not label = car",
        "not (label = car or label = bus)",
        "not not label = person",
        "NOT label = car AND line = gate",
        "label in (car, person)",
        "label not in (car, bus)",
        "direction = in",
        "direction in (in, out)",
        "direction = in and label = person",
        'zone = "main door"',
        "zone = 'main door'",
        r'zone != "a \"b\" \\"',
        "score > 0.9 and score < .92",
        "score >= 0.91 and score <= 0.91",
        "count = 3 and count in (1, 3) and count != 4.5",
        "track_id = 7.0",
        "dwell_s > 1e1",
        "epoch = 1763899600000",
        "image = true",
        "kind in (line-crossed, zone-entered)",
        "  label\t=\nperson  ",
    ],
)
def test_what_lets_the_event_through(text: str) -> None:
    assert Where(text)(EVENT)
    assert not Where(f"not ({text})")(EVENT)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ('zone = ""', True),
        ("zone != gate", True),
        ("count = 3", False),
        ("count != 3", True),
        ("count < 3", False),
        ("count >= 0", False),
        ("not count >= 0", True),
        ("count in (0, 1)", False),
        ("image = false", True),
        ("image in (true)", False),
    ],
)
def test_what_an_event_has_not(text: str, passes: bool) -> None:
    assert Where(text)(BARE) is passes


def test_values_with_quotes_and_backslashes() -> None:
    for zone in ('a "b"', r"a\b", "it's", "and", "(", "x = y", "é ü", "a,b"):
        quoted = zone.replace("\\", "\\\\").replace('"', '\\"')
        assert Where(f'zone = "{quoted}"')(msgspec.structs.replace(EVENT, zone=zone))


@pytest.mark.parametrize(
    ("text", "position", "word", "expected"),
    [
        ("", 1, "", "expected a field of events"),
        ("lable = person", 1, "lable", 'did you mean "label"?'),
        ("bbox = 3", 1, "bbox", "expected a field of events"),
        ('"label" = a', 1, "label", "expected a field of events"),
        ("label", 6, "", "expected =, != or in after label, a text, got the end"),
        ("label is person", 7, "is", "expected =, != or in after label"),
        ("label == person", 7, "==", 'did you mean "="?'),
        ("label < person", 7, "<", "expected =, != or in after label, a text"),
        ("image > true", 7, ">", "expected =, != or in after image, a flag"),
        ("score is 5", 7, "is", "expected =, !=, <, <=, >, >= or in after score, a number"),
        ("score > high", 9, "high", "expected a number after score"),
        ("score > nan", 9, "nan", "expected a number after score"),
        ("score > 1_0", 9, "1_0", "expected a number after score"),
        ("score > 1e999", 9, "1e999", "expected a number after score"),
        ("score > \u0663", 9, "\u0663", "expected a number after score"),
        ("image = yes", 9, "yes", "expected true or false of image"),
        ("image = ture", 9, "ture", 'did you mean "true"?'),
        ("kind = zone-enterd", 8, "zone-enterd", 'did you mean "zone-entered"?'),
        ("label = ", 9, "", "expected a value of label, got the end"),
        ("label = and zone = gate", 9, "and", "expected a value of label"),
        ("label = person adn zone = gate", 16, "adn", 'did you mean "and"?'),
        ("label = traffic light", 17, "light", 'several words is quoted: "traffic light"'),
        ("label = person and", 19, "", "expected a field of events"),
        ("label = person zone = a", 16, "zone", "expected and, or or the end"),
        ("(label = person", 16, "", 'expected and, or or ")", got the end'),
        ("label = person)", 15, ")", "expected and, or or the end"),
        ("label in person", 10, "person", 'expected "(" and values'),
        ("label in ()", 11, ")", "expected a value of label"),
        ("label in (a b)", 13, "b", 'expected a comma or ")"'),
        ("label in (a,)", 13, ")", "expected a value of label"),
        ("label not = a", 7, "not", "expected =, != or in"),
        ("zone = 'main door", 8, "'main door", "expected a value with a closing '"),
        ("label ! person", 7, "!", "expected =, != or in"),
        ("not", 4, "", "expected a field of events"),
        ("(" * 40 + "label = a" + ")" * 40, 33, "(", "expected up to 32 levels"),
        ("not " * 5000 + "label = a", MOST + 1, None, f"expected a filter of up to {MOST}"),
    ],
)
def test_what_is_no_filter(text: str, position: int, word: str | None, expected: str) -> None:
    with pytest.raises(WhereError, match=rf"^where: position {position}: expected") as refused:
        Where(text)
    assert expected in str(refused.value)
    assert refused.value.position == position
    assert word is None or refused.value.word == word


def test_filters_mean_what_python_means() -> None:
    chosen = random.Random(3)
    atoms = {"label = person": True, "label = car": False, "count > 2": True, "count > 3": False}

    def made(depth: int) -> tuple[str, str]:
        if depth == 0 or chosen.random() < 0.2:
            text = chosen.choice(list(atoms))
            return text, str(atoms[text])
        (a, a_python), (b, b_python) = made(depth - 1), made(depth - 1)
        shape = chosen.choice(["{} and {}", "{} or {}", "({})", "not {}", "not ({} or {})"])
        return shape.format(a, b), shape.format(a_python, b_python)

    pairs = [made(4) for _ in range(200)]
    got = [Where(text)(EVENT) for text, _ in pairs]
    assert got == [eval(python) for _, python in pairs]
    assert len(set(got)) == 2


def test_whatever_is_typed_is_read_or_refused_in_words() -> None:
    parts = ["label", "=", "!=", "in", "(", ")", ",", "and", "or", "not", '"a', "'", "3", "\\", "é"]
    for words in itertools.product(parts, repeat=3):
        text = " ".join(("label = a", *words))
        try:
            assert Where(text)(EVENT) in {True, False}
        except WhereError as error:
            assert 1 <= error.position <= len(text) + 1
            assert text[error.position - 1 : error.position].strip() or not error.word
