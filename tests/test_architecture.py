"""The rooms and the direction of their imports, by reading every file: lazy imports count too."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT, ROWS
from tests.support.sources import (
    LONGEST_FUNCTION,
    Source,
    decoded_unready,
    read_source,
    statements,
    too_long,
)

RANK = {room: rank for rank, row in enumerate(ROWS) for room in row}
LONGEST_FILE = 400
FILES = sorted(
    path.relative_to(ROOT)
    for room in [*RANK, "tests"]
    for path in (ROOT / room).rglob("*.py")
    if "__pycache__" not in path.parts
)
OWN = [path for path in FILES if path.parts[0] != "tests"]
HEAVY = {"torch", "tensorflow"}
MAY_GI = ("plugins/", "pipeline/gst/", "benchmarks/line/peer_loops.py")  # the last elsewhere
MAY_RAY = {f"fleet/{name}.py" for name in ("ray_fleet", "local", "running", "faults")}
MAY_TRAIN = ("training/", "engines/convert/")
OF_A_CONSUMER = {"numpy", "msgspec", "redis"}


@cache
def source_of(path: Path) -> Source:
    """What a file says, read once for all tests."""
    return read_source(path, text_of(path))


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def imports_of(path: Path) -> list[tuple[str, int]]:
    """Every module that a file imports, wherever in it, with the line."""
    return source_of(path).imports


def breaches(path: Path) -> list[str]:
    """Imports of one file that the design forbids."""
    room = path.parts[0]
    found = []
    for module, line in imports_of(path):
        top = module.partition(".")[0]
        if top in RANK and top != room and RANK[top] >= RANK[room]:
            found.append(f"{path}:{line}: {room}/ imports {module}")
        if top == "tests":
            found.append(f"{path}:{line}: imports {module}")
        if top in HEAVY and not path.as_posix().startswith(MAY_TRAIN):
            found.append(f"{path}:{line}: imports {module}, which running never needs")
        if top == "gi" and not path.as_posix().startswith(MAY_GI):
            found.append(f"{path}:{line}: gi outside plugins/ and pipeline/gst/")
        if top == "ray" and path.as_posix() not in MAY_RAY:
            found.append(f"{path}:{line}: Ray, which placing workers needs and nothing else")
    return found


def test_imports_point_down() -> None:
    assert [line for path in OWN for line in breaches(path)] == []


# From above to below; each may import those below it, and itself.
INNER = ["cli", "demo", "gst", "worker", "control", "cameras", "config"]
FLAT = {
    "doctor": "cli",
    "run_once": "cli",
    "logs": "config",
    "listening": "config",
    "loading": "config",
    "service": "config",
}


def part_of_pipeline(module: str) -> int | None:
    """Where a module of pipeline/ stands in ``INNER``; None for any other, and the room itself."""
    room, _, rest = module.partition(".")
    part = rest.partition(".")[0]
    return INNER.index(FLAT.get(part, part)) if room == "pipeline" and part else None


def named(path: Path) -> str:
    """The name of the module that a file is."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def test_inside_pipeline_imports_point_down() -> None:
    found = [
        f"{path}:{line}: imports {module}"
        for path in OWN
        for here in [part_of_pipeline(named(path))]
        for module, line in imports_of(path)
        for there in [part_of_pipeline(module)]
        if here is not None and there is not None and there < here
    ]
    assert found == []


def modules_of(path: Path, known: set[str]) -> set[str]:
    """What a file imports; not the package of ``from package import module``."""
    found = {module for module, _ in imports_of(path)}
    taken: dict[str, set[str]] = {}
    for module, names in source_of(path).names:
        taken.setdefault(module, set()).update(f"{module}.{name}" for name in names)
    packages = {package for package, names in taken.items() if names <= known}
    return found.union(*taken.values()) - packages


def circles(files: Iterable[Path]) -> list[str]:
    """The imports that lead back to where they began, each file's, wherever in it they stand."""
    paths = {named(path): path for path in files}
    imported = {
        name: {module for module in modules_of(path, set(paths)) if module in paths} - {name}
        for name, path in paths.items()
    }
    while True:
        reached = set().union(*imported.values())
        kept = {
            name: {module for module in modules if imported[module]} if name in reached else set()
            for name, modules in imported.items()
        }
        if kept == imported:
            break
        imported = kept
    return sorted(f"{name} → {module}" for name, modules in imported.items() for module in modules)


def test_no_circles() -> None:
    assert circles(OWN) == []


def test_tests_import_their_support_and_nothing_else_of_tests() -> None:
    found = [
        f"{path}:{line}: {module}"
        for path in FILES
        if path.parts[0] == "tests"
        for module, line in imports_of(path)
        if f"{module}.".startswith("tests.") and not f"{module}.".startswith("tests.support.")
    ]
    assert found == []


def test_no_file_is_too_long() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in FILES}
    assert {str(path): n for path, n in lengths.items() if n > LONGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    assert {str(path): source_of(path).long for path in FILES if source_of(path).long} == {}


def test_long_functions_are_found() -> None:
    def source(lines: int) -> Iterator[ast.AST]:
        first = 'class A:\n    def f(self):\n        """One.\n\n        Two.\n        """\n'
        return statements(ast.parse(first + "        pass\n" * lines))

    assert too_long(source(LONGEST_FUNCTION - 1)) == []
    assert too_long(source(LONGEST_FUNCTION)) == [f"f: {LONGEST_FUNCTION + 1}"]


def test_only_decoders_have_many_parameters() -> None:
    """Options of a command are fields of a dataclass; those of a decoder are its parameters."""
    found = [
        str(path)
        for path in FILES
        if path.parts[:2] != ("engines", "decoders")
        and path.name != "test_architecture.py"
        and "noqa: PLR0913" in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert found == []


def test_engines_know_neither_gstreamer_nor_redis() -> None:
    found = [
        f"{path}:{line}: {module}"
        for path in OWN
        if path.parts[0] == "engines"
        for module, line in imports_of(path)
        if module.partition(".")[0] in {"gi", "redis"}
    ]
    assert found == []


def test_the_dashboard_is_a_subscriber_like_any_other() -> None:
    found = [
        f"{path}:{line}: {module}"
        for path in OWN
        if path.parts[0] == "dashboard"
        for module, line in imports_of(path)
        if module.startswith(("gi", "engines", "plugins", "pipeline.gst"))
        and module != "engines.console"  # of its commands, which print tables
    ]
    assert found == []


def test_a_consumer_installs_three_libraries() -> None:
    known = sys.stdlib_module_names | OF_A_CONSUMER | {"mirante"}
    found = {
        (str(path), module)
        for path in OWN
        if path.parts[0] == "mirante"
        for module, _ in imports_of(path)
        if module.partition(".")[0] not in known
    }
    assert found <= {
        ("mirante/wire/polygon.py", "cv2")
    }  # to encode polygons, on the pipeline's side


def test_pipeline_knows_no_tensors() -> None:
    allowed = {Path("pipeline/doctor.py")}  # which looks for it
    found = [
        f"{path}:{line}"
        for path in OWN
        if path.parts[0] == "pipeline" and path not in allowed
        for module, line in imports_of(path)
        if module.partition(".")[0] == "onnxruntime"
    ]
    assert found == []


def test_types_to_decode_are_made_ready_at_import() -> None:
    assert [f"{path}:{line}" for path in OWN for line in source_of(path).unready] == []
    source = "def f(t):\n    msgspec.json.decode(t, type=A)\n    msgspec.json.decode(t, type=dict)"
    assert decoded_unready(ast.parse(source)) == [2]


def test_structures_are_read_as_every_version_of_the_bindings_allows() -> None:
    """``get_structure`` returns another type from version to version: ``structure_of`` knows."""
    allowed = {Path(f"{name}bindings.py") for name in ("plugins/", "tests/plugins/test_")}
    asked = [path for path in FILES if ".get_" + "structure" in text_of(path)]
    assert set(asked) == allowed


def test_every_package_below_the_rooms_is_one() -> None:
    folders = {path.parent for path in OWN}
    # plugins/python holds what GStreamer loads by path, and is no package on purpose.
    folders.discard(Path("plugins/python"))
    assert [str(f) for f in folders if not (ROOT / f / "__init__.py").exists()] == []


def test_no_name_that_says_nothing() -> None:
    nothing = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert [str(path) for path in FILES if path.stem in nothing] == []


def test_breaches_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: lazy and dynamic imports are seen."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "engines").mkdir()
    file = Path("engines/bad.py")
    (tmp_path / file).write_text(
        "def f():\n    import gi\n    import_module('pipeline.cli')\n    from plugins import x\n"
    )
    assert sorted(breaches(file)) == [
        "engines/bad.py:2: gi outside plugins/ and pipeline/gst/",
        "engines/bad.py:3: engines/ imports pipeline.cli",
        "engines/bad.py:4: engines/ imports plugins",
    ]


def task_names_in(path: Path, tasks: set[str]) -> list[str]:
    """Strings of a file's code that are a task's name; docstrings and examples are no code."""
    said: set[ast.AST] = set()
    if not re.search(f"""["']({"|".join(tasks)})["']""", text_of(path)):
        return []
    nodes = list(ast.walk(ast.parse(text_of(path))))
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said.add(node.value)
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "examples":
                    said.update(ast.walk(value))
    return [
        f"{path}:{node.lineno}: {node.value}"
        for node in nodes
        if isinstance(node, ast.Constant) and node.value in tasks and node not in said
    ]


def test_no_task_is_named_outside_the_table_of_kinds(tmp_path: Path) -> None:
    """Whoever must know asks the class that ``engines/found/`` has for it."""
    from engines.found import KINDS

    named = {path: task_names_in(path, {*KINDS}) for path in OWN}
    kinds = [named.pop(path) for path in OWN if path.parts[:2] == ("engines", "found")]
    assert {line.rpartition(" ")[2] for lines in kinds for line in lines} == {*KINDS}
    assert [line for lines in named.values() for line in lines] == []
    (tmp_path / "bad.py").write_text('"""detect"""\nA = {"examples": ["detect"]}\nB = "detect"\n')
    assert task_names_in(tmp_path / "bad.py", {*KINDS}) == [f"{tmp_path}/bad.py:3: detect"]


def test_no_stage_kind_is_named_outside_its_table() -> None:
    """Whoever must know asks the kinds that ``pipeline/config/stages`` lists."""
    from pipeline.config.stages import KINDS

    modules = {name.partition(":")[0] for name in KINDS.values()}
    assert all((ROOT / f"{module.replace('.', '/')}.py").is_file() for module in modules)
    found = [
        f"{path}:{line}: {module}"
        for path in OWN
        for module, line in imports_of(path)
        if module in modules
    ]
    assert found == []


def test_circles_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: typing and lazy imports are seen, and those around it are not."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "x").mkdir()
    texts = {
        "above": "from x import first",
        "first": "if TYPE_CHECKING:\n    from x.second import f",
        "second": "def f():\n    import x.first\n    import x.below",
        "below": "",
    }
    for name, text in texts.items():
        (tmp_path / "x" / f"{name}.py").write_text(text)
    found = circles(Path("x") / f"{name}.py" for name in texts)
    assert found == ["x.first → x.second", "x.second → x.first"]
