"""The file beside a clip's video: the results of its frames, so that a page can draw them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from mirante.clips import Cause
from mirante.terms import VERSION
from plugins.clips.kept import Published

END = b"\n]}\n"
"""The end of the file; a line before it is a whole frame."""


class Sidecar:
    """Writes frames as they come, one a line: a file that breaks off is mended by ``END``.

    Args:
        path: of the file.
        camera, clip: what it is of.
        began_ns: Unix time in ns of the clip's time 0.
        causes: why the clip was begun.

    Raises:
        OSError: it cannot be written; so from each method.
    """

    def __init__(
        self, path: Path, camera: str, clip: str, began_ns: int, causes: Sequence[Cause]
    ) -> None:
        self._file: BinaryIO = path.open("wb")
        head = {
            "version": VERSION,
            "camera": camera,
            "clip": clip,
            "began": began_ns / 1e9,
            "causes": list(causes),
        }
        self._file.write(msgspec.json.encode(head).removesuffix(b"}") + b',"frames":[')
        self._is_first = True

    def put(self, result: Published) -> None:
        """Write the results of a frame."""
        line = b'{"detections":' + result.detections
        if result.masks is not None:
            planes = {
                field: base64.b64encode(data).decode()
                for field, data in result.masks.items()
                if field != "json"
            }
            line += b',"masks":' + result.masks["json"]
            line += b',"planes":' + msgspec.json.encode(planes)
        self._file.write((b"\n" if self._is_first else b",\n") + line + b"}")
        self._is_first = False

    def close(self) -> None:
        """Finish the file."""
        with self._file:
            self._file.write(END)
