import ast
import re
from typing import Any

import pytest

from mirante import keys
from mirante.keys import EntryId, camera_of, check_camera, key
from tests.support import ROOMS, ROOT


def test_keys_carry_the_camera_as_a_hash_tag() -> None:
    assert key("gate", "detections") == "mirante:{gate}:detections"
    assert camera_of("mirante:{yard-2.a_b}:masks") == "yard-2.a_b"


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "a{b}", "é", "a\n", "x" * 65, None])
def test_other_names_are_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="camera: expected 1 to 64 letters"):
        check_camera(name)


def test_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="kind: expected one of detections, masks"):
        kind: Any = "pictures"
        key("gate", kind)


@pytest.mark.parametrize("text", ["mirante:gate:masks", "mirante:{}:masks", "x:{gate}:masks"])
def test_other_keys_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="key: expected"):
        camera_of(text)


def test_ids_are_ordered_as_numbers() -> None:
    assert EntryId.parse(b"1000-2") == EntryId(1000, 2)
    assert EntryId(1000, 10) > EntryId.parse("1000-9") > EntryId(999, 99)
    assert str(EntryId(5, 0)) == "5-0"


@pytest.mark.parametrize("text", ["5", "5-", "-5", "a-b", "5-0-1", "\u0665-\u0661", b"\xff-1"])
def test_other_ids_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="entry ID: expected <milliseconds>-<number>"):
        EntryId.parse(text)


def test_every_name_is_written_where_the_names_are() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if path != ROOT / "mirante/keys.py"
        if re.search("mirante:(?! )", text := path.read_text(encoding="utf-8"))  # few have it
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and _is_name(node.value)
    ]
    assert found == []


def _is_name(value: object) -> bool:
    """Whether a string begins as names in Redis do; a message begins with "mirante: ", the name of
    a memory of GStreamer with a capital.
    """
    return isinstance(value, str) and re.match(r"\{?mirante:(?![ A-Z])", value) is not None


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        ("mirante:cameras", True),
        ("{mirante:x}", True),
        ("mirante: no camera", False),
        ("mirante:Surface", False),
        ("x", False),
    ],
)
def test_names_are_told_from_messages(text: str, is_name: bool) -> None:
    assert _is_name(text) == is_name


def test_operations_lists_every_name() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(mirante:[^`]+)`", text, re.MULTILINE))
    made = {
        *(keys.address(kind) for kind in keys.KINDS),
        *(keys.AUDIT, keys.CAMERAS, keys.CAMERAS_VERSION, keys.WORKERS, keys.BRIDGES),
        *(keys.bridge_key("NAME", what) for what in ("report", "lease", "dead")),
        keys.written_key("STREAM", "NAME"),
        keys.owner_key("NAME").replace("NAME", "camera"),
        keys.memory_key("NAME").replace("NAME", "camera"),
        keys.counts_key("NAME", "DAY").replace("NAME", "camera"),
        keys.lease_key("WORKER"),
        keys.report_key("WORKER"),
        keys.request_key("KIND", "WORKER"),
        keys.answer_key("ID"),
        keys.FLEET_REPORT,
        keys.BLOBS,
        keys.blob_key("0" * 64).replace("0" * 64, "SHA-256"),
        keys.kept_models_key("WORKER"),
        *(keys.FLEET_BEATS, keys.FLEET_DRAINED, keys.FLEET_KEEPER),
    }
    assert listed == made
