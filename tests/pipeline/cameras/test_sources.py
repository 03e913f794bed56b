"""A new kind of source is a file and a row: nothing else names it.

That every place knows it is tested with a made-up one: ``tests/pipeline/config``.
"""

from __future__ import annotations

import ast
import re

from pipeline.cameras.sources import source_kinds
from pipeline.config import source_kinds as table
from pipeline.config.camera_url import CameraUrl
from tests.support import ROOT

# Rooms where a scheme is a camera's; elsewhere in them it is a server's, Redis's or ONVIF's.
FILES = [
    path.relative_to(ROOT)
    for room in ("pipeline", "dashboard", "benchmarks", "plugins")
    for path in sorted((ROOT / room).rglob("*.py"))
    if path.relative_to(ROOT).parts[:3] != ("pipeline", "cameras", "sources")
]
OTHERS = {
    "pipeline/config/source_kinds.py": "the table",
    "pipeline/cameras/web.py": "requests",
    "pipeline/gst/rtsp_server.py": "a server",
    "pipeline/gst/clips.py": "a server",
    "pipeline/config/settings.py": "Redis",
    "pipeline/config/telemetry.py": "a collector",
    "pipeline/config/camera.py": "a device that decodes",
    "pipeline/gst/decoders.py": "a device that decodes",
    "pipeline/config/clips.py": "a bucket",
    "pipeline/control/bucket_client.py": "a bucket",
    "dashboard/access/origin.py": "origins of pages",
    "dashboard/onvif/discovery.py": "services of ONVIF",
    "pipeline/cameras/onvif/device.py": "services of ONVIF",
    "pipeline/config/onvif_address.py": "services of ONVIF",
    "pipeline/config/image_links.py": "a dashboard",
}
CAMERAS_ALONE = {"rtsp", "rtsps", "v4l2"}


def test_every_kind_is_whole() -> None:
    kinds = source_kinds()
    assert len(kinds) == len(table.SOURCES)
    assert len(set(table.schemes())) == len(table.schemes())
    for kind in kinds:
        url = CameraUrl(kind.example)
        assert url.kind is kind
        assert kind.example.startswith(kind.start)
        assert kind.hint.endswith(".")
        assert kind.rows
        assert len({url.kind.is_network, *(bool(end) for end in kind.schemes.values())}) == 1


def test_no_scheme_is_named_outside_its_kind() -> None:
    others = [path for path in FILES if str(path) not in OTHERS]
    found = {str(path): named_in((ROOT / path).read_text(encoding="utf-8")) for path in others}
    assert {path: lines for path, lines in found.items() if lines} == {}


def named_in(text: str) -> list[str]:
    """Lines that compare an address's scheme with one, or that hold a camera's as a value."""
    if not any(name in text for name in ("scheme", *CAMERAS_ALONE)):
        return []  # without its syntax tree, which takes a while
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            schemes = {s for side in sides for n in ast.walk(side) if (s := _scheme(n))}
            if schemes and any(isinstance(s, ast.Attribute) and s.attr == "scheme" for s in sides):
                found.append(f"{node.lineno}: {sorted(schemes)}")
        elif isinstance(node, ast.Constant) and node.value in CAMERAS_ALONE:
            found.append(f"{node.lineno}: {node.value}")
    return found


def _scheme(node: ast.AST) -> str:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) and value in table.schemes() else ""


def test_a_scheme_that_is_named_would_be_found() -> None:
    assert named_in('url.scheme == "file"') == ["1: ['file']"]
    assert named_in('if split.scheme in {"test", "https"}: pass') == ["1: ['https', 'test']"]
    assert named_in('PORTS = {"rtsp": 554}') == ["1: rtsp"]


PAGE = [p for p in sorted((ROOT / "dashboard/static").rglob("*.js")) if "vendor" not in p.parts]


def test_the_page_has_the_kinds_from_the_api() -> None:
    example = "mirante camera add gate rtsp://"
    texts = {path.name: path.read_text(encoding="utf-8").replace(example, "") for path in PAGE}
    scheme = re.compile(r"rtsps?:|v4l2|\btest:|[\"'`^(|]file:")
    named = {name: scheme.findall(text) for name, text in texts.items()}
    assert {name: found for name, found in named.items() if found} == {}
