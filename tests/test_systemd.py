"""The units of deploy/systemd: what pages show, what systemd thinks of them, and what starts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import make_app
from pipeline.config.settings import Settings
from pipeline.service import heartbeat, tell
from tests.support import ROOT
from tests.support.live_site import until

FOLDER = ROOT / "deploy" / "systemd"
UNITS = {path.name: path for path in sorted(FOLDER.iterdir())}
MOST_EXPOSED = 3.0  # of 10, by systemd's own count
NOBODY = 65534
MIRANTE = ROOT / ".venv/bin/mirante"


def service(name: str) -> dict[str, list[str]]:
    """The values of each key of the section, of which systemd lets one stand several times."""
    keys: dict[str, list[str]] = {}
    section = UNITS[name].read_text().partition("[Service]\n")[2].partition("\n[")[0]
    for line in filter(None, section.splitlines()):
        key, _, value = line.partition("=")
        keys.setdefault(key, []).append(value)
    return keys


@pytest.mark.parametrize("name", UNITS)
def test_the_page_shows_it(name: str) -> None:
    blocks = re.findall(
        r"^```ini\n(.*?)^```", (ROOT / "docs/operations.md").read_text(), re.M | re.S
    )
    assert UNITS[name].read_text() in blocks


@pytest.mark.parametrize("name", UNITS)
def test_it_starts_a_command_of_ours_that_reads_its_variables(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = service(name)["ExecStart"]
    program, *arguments = command.split()
    assert program == "/opt/mirante/.venv/bin/mirante"
    assert CliRunner().invoke(make_app(), [*arguments, "--help"]).exit_code == 0
    variables = dict(each.split("=", 1) for each in service(name)["Environment"])
    assert variables["MIRANTE_HOME"] == f"/var/lib/{service(name)['StateDirectory'][0]}"
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    settings = Settings()
    assert settings.log.format == "json"
    assert (settings.dashboard.port is None) == ("MIRANTE_DASHBOARD__PORT" in variables)


@pytest.mark.parametrize("name", UNITS)
def test_what_systemd_thinks_of_it(name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here (apt-get install systemd)")
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNITS[name]],
        env=os.environ | {"SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode != 0:
        pytest.skip(f"this systemd-analyze cannot: {said.stderr.strip()}")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)
    assert found is not None, said.stdout
    assert float(found[1]) <= MOST_EXPOSED


@contextmanager
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a service manager, in the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0mirante-{os.getpid()}")
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@mirante-{os.getpid()}")
        yield listening


def test_a_loop_tells_that_it_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    with manager(monkeypatch) as listening:
        seen: list[int] = []
        turned = heartbeat(seen.append, lambda: now)
        for second in range(25):
            now = 100.0 + second
            turned(second)
        tell("END=1")
        told = [listening.recv(64).decode() for _ in range(4)]
    assert seen == list(range(25))
    assert told == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "END=1"]


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody-listens"])
def test_without_a_manager_nobody_is_told(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    seen: list[int] = []
    heartbeat(seen.append)(1)
    assert seen == [1]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that others can read, where a namespace can be made in which a stranger runs the
    project.
    """
    if os.geteuid() != 0:
        pytest.skip("only root makes a file system read-only for one process")
    probe = ["unshare", "-m", "sh", "-c", "mount --bind / / && mount -o remount,bind,ro /"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespaces here")
    with tempfile.TemporaryDirectory(prefix="mr") as folder:
        Path(folder).chmod(0o755)
        for path in (MIRANTE, Path(folder)):
            closed = [part for part in path.parents if not part.stat().st_mode & stat.S_IXOTH]
            if closed:
                pytest.skip(f"others cannot read what lies in {closed[0]}")
        yield Path(folder)


READ_ONLY = """
mount --bind / / && mount -o remount,bind,ro /
for folder in /tmp /var/tmp /dev/shm /run
do mountpoint -q $folder && mount -o remount,bind,ro $folder
done
"""
FULL = """
mount -t tmpfs -o size=16k,mode=1777 full {folder}
head -c 20000 /dev/zero >{folder}/filled 2>/dev/null || true
"""


def command(place: Path, mounts: str, port: str = "0", **variables: str | Path) -> list[str]:
    """``mirante up`` as nobody, behind mounts of its own; ``port``: of the metrics and the page."""
    given = " ".join(f"{name}={value}" for name, value in variables.items())
    config = place / "config.yaml"
    config.write_text(
        f"metrics: {{port: {port}}}\ndashboard: {{port: {port}}}\n"
        "cameras: {gate: {url: 'test://?size=160x96&fps=4', stages: [{model: test-boxes}]}}\n"
    )
    config.chmod(0o644)
    inside = (
        f"set -e\n{mounts}\nexec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "
        f"env -i PATH=/usr/bin:/bin NOTIFY_SOCKET=$NOTIFY_SOCKET WATCHDOG_USEC=600000 {given} "
        f"{MIRANTE} up {config}"
    )
    return ["unshare", "-m", "bash", "-c", inside]


def answer(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as said:
            return int(said.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


@pytest.mark.slow
def test_a_worker_runs_where_nothing_can_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No home, no runtime directory, no temporary folder; a private Redis and the page with it."""
    with manager(monkeypatch) as listening:
        worker = subprocess.Popen(
            command(place, READ_ONLY, HOME="/nonexistent"), stderr=subprocess.PIPE, text=True
        )
        assert worker.stderr is not None
        lines: list[str] = []
        for line in worker.stderr:
            lines.append(line)
            if "running" in line:
                break
        said = "".join(lines)
        try:
            assert listening.recv(64) == b"READY=1", said
            assert listening.recv(64) == b"WATCHDOG=1"
            metrics = re.search(r"metrics at (http://[\d.:]+)", said)
            page = re.search(r"dashboard at (http://[\d.:]+)", said)
            assert metrics is not None, said
            assert page is not None, said
            until(lambda: answer(f"{metrics[1]}/readyz") == 200, what="for every camera")
            assert answer(f"{page[1]}/api/v1/cameras") == 200
        finally:
            worker.send_signal(signal.SIGTERM)
            rest = worker.communicate(timeout=60)[1]
    assert worker.returncode == 0, said + rest
    assert (said + rest).count("cannot be written") == 1, "it is said once"
    assert "/nonexistent/.cache/mirante/run/worker-main.json cannot be written" in said


@pytest.mark.slow
def test_a_worker_runs_where_the_disk_is_full(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state, its runtime directory and its log are on it."""
    folder = place / "full"
    folder.mkdir()
    places = dict.fromkeys(("HOME", "MIRANTE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"), folder)
    with manager(monkeypatch) as listening, Path("/dev/full").open("wb") as full:
        mounts = READ_ONLY + FULL.format(folder=folder)
        up = command(place, mounts, "null", **places)
        worker = subprocess.Popen(up, stdout=full, stderr=full)
        try:
            assert listening.recv(64) == b"READY=1"
            for _ in range(3):
                assert listening.recv(64) == b"WATCHDOG=1"
            assert worker.poll() is None
        finally:
            worker.terminate()
            worker.wait(60)
    assert worker.returncode == 0
