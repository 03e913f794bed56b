from typing import Any

import pytest

from mirante.keys import EntryId, camera_of, check_camera, key


def test_keys_carry_the_camera_as_a_hash_tag() -> None:
    assert key("gate", "detections") == "mirante:{gate}:detections"
    assert camera_of("mirante:{yard-2.a_b}:masks") == "yard-2.a_b"


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "a{b}", "é", "a\n", "x" * 65, None])
def test_other_names_are_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="camera: expected 1 to 64 letters"):
        check_camera(name)


def test_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="kind: expected one of detections, masks"):
        key("gate", "pictures")


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
