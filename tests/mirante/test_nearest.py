import pytest

from mirante.nearest import nearest, similar
from tests.support import ROOMS, ROOT


def test_the_nearest_name_is_suggested() -> None:
    assert nearest("fsp", ["url", "fps"]) == 'did you mean "fps"?'
    assert similar("fsp", ["url", "fps", "fs"], most=2) == ["fps", "fs"]  # the same letters first
    assert similar("fsp", ["url"]) == []


@pytest.mark.parametrize(
    ("known", "hint"),
    [(["url", "size"], "there are url, size"), ([], "there are none")],
)
def test_else_what_is_known(known: list[str], hint: str) -> None:
    assert nearest("fps", known, "there are") == hint


def test_nothing_else_looks_for_names() -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    using = [path for path in files if "get_close_matches" in path.read_text(encoding="utf-8")]
    assert using == [ROOT / "mirante/nearest.py"]
