"""Child processes of a bench: cameras that send, and programs that read them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.latency.figures import Sent
from pipeline.worker.redis_server import DIE_WITH_PARENT

_MODULE = (*DIE_WITH_PARENT, sys.executable, "-m")


@contextmanager
def sending(clip: str, cameras: int, fps: int) -> Iterator[tuple[tuple[str, ...], Sequence[Sent]]]:
    """Send a clip from cameras; yield their addresses, and the frames sent so far.

    Raises:
        RuntimeError: the cameras do not start, or have ended at the end; the reason is on stderr.
    """
    program = [*_MODULE, "benchmarks.latency.sender", clip, str(cameras), str(fps)]
    sent: list[Sent] = []
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdout is not None
        lines = sender.stdout
        urls = tuple(lines.readline().strip() for _ in range(cameras))

        def note() -> None:
            sent.extend(Sent(*map(int, line.split())) for line in lines)  # each as it comes

        thread = threading.Thread(target=note, name="sent")
        try:
            if not all(urls):
                raise RuntimeError("the cameras did not start")
            thread.start()
            yield urls, sent
            if sender.poll() is not None:
                raise RuntimeError(f"the cameras ended with status {sender.returncode}")
        finally:
            sender.terminate()
            if thread.ident is not None:
                thread.join()


@contextmanager
def looking(
    module: str, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[tuple[int, Callable[[], None]]]:
    """Run a module; yield its process ID, and a check that raises RuntimeError if it has ended."""
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen([*_MODULE, module, *arguments], stderr=said, env=env) as process,
    ):

        def check() -> None:
            if process.poll() is not None:
                said.seek(0)
                raise RuntimeError(f"{module}: {said.read().strip()[-2000:]}")

        try:
            yield process.pid, check
        finally:
            process.terminate()
