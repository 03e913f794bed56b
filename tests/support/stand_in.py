"""Networks in the place of the standard models, and a server of their files that may be slow."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from engines.manifest import ZOO
from pipeline.config.standard import WANTED

SHIPPED_ZOO = ZOO
NETWORK = (ZOO / "test-boxes.onnx").read_bytes()
FILES = {"yolox-street": "objects.onnx", "yunet": "faces.onnx"}
LABELS = {"yolox-street": ["person", "car", "bus"], "yunet": ["face", "hand", "hat"]}
LIMIT_S = 1.5  # in the place of ten seconds, where a file is late
_PATIENT_S = 60.0  # where it is not, however busy the machine is


class Files(http.server.BaseHTTPRequestHandler):
    """Serves the network as /good, something else as /wrong.

    /slow sends a byte now and then, /stalled one byte and no other.
    """

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind not in {"good", "wrong", "slow", "stalled"}:
            self.send_error(404)
            return
        self.send_response(200)
        body = NETWORK[::-1] if kind == "wrong" else NETWORK
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if kind in {"good", "wrong"}:
            self.wfile.write(body)
            return
        over: threading.Event = self.server.over  # type: ignore[attr-defined]
        for byte in body:
            try:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
            except OSError:
                return
            if over.wait(0.05 if kind == "slow" else None):
                return

    def log_message(self, *args: object) -> None:
        pass


class FileServer(http.server.ThreadingHTTPServer):
    """The server.

    Attributes:
        asked: paths that were answered with a file.
        over: ends what is sent slowly.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Files)
        self.asked: list[str] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """Its address without a path."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Serve the network until the end of the block."""
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


class StandIn:
    """A zoo whose standard models find what the synthetic camera draws.

    Args:
        folder: where the zoo is made.
        patch: puts it in the place of the shipped one.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.zoo = folder / "zoo"
        shutil.copytree(SHIPPED_ZOO, self.zoo, ignore=shutil.ignore_patterns("__pycache__"))
        self.publish("http://127.0.0.1:1/nowhere")
        patch.setattr("engines.manifest.ZOO", self.zoo)
        self._patch = patch
        patch.setattr("pipeline.config.choosing.LIMIT_S", _PATIENT_S)

    def hurry(self) -> None:
        """Give files up after ``LIMIT_S``."""
        self._patch.setattr("pipeline.config.choosing.LIMIT_S", LIMIT_S)

    def publish(self, url: str | None) -> None:
        """Give each standard model an address, below ``url``."""
        for name in WANTED.values():
            keys = yaml.safe_load((SHIPPED_ZOO / "test-boxes.yaml").read_text())
            keys |= {"name": name, "file": FILES[name], "labels": LABELS[name]}
            keys |= {"sha256": hashlib.sha256(NETWORK).hexdigest()}
            if url is not None:
                keys["url"] = f"{url}/{FILES[name]}"
            (self.zoo / f"{name}.yaml").write_text(yaml.safe_dump(keys))

    def put(self, folder: Path, *names: str, content: bytes = NETWORK) -> None:
        """Put the files of models into a folder; of all where none is named."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in names or FILES:
            (folder / FILES[name]).write_bytes(content)
