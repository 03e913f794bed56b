"""A trial that may not reach its own machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mirante.faults import FaultCode
from pipeline.config.camera import Camera
from pipeline.worker.trials import run_trial

pytestmark = pytest.mark.rtsp


@pytest.mark.usefixtures("tried_here")
def test_what_is_on_this_machine_is_not_tried_where_that_is_forbidden(tmp_path: Path) -> None:
    """Nothing is connected to, and no file is read; a camera that only draws is none of these."""
    (tmp_path / "clip.mp4").write_bytes(b"secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        for url in (
            f"rtsp://localhost:{port}/x",
            f"http://127.1:{port}/",
            f"file:{tmp_path}/clip.mp4",
        ):
            trial = run_trial("gate", Camera(url=url, stages=[]), local=False)
            assert (trial.connected, trial.code) == (False, FaultCode.LOCAL_TARGET)
            assert "dashboard.local_targets" in trial.words
        with pytest.raises(TimeoutError):
            server.accept()
    assert run_trial("gate", Camera(url="test://", stages=[]), local=False).connected
