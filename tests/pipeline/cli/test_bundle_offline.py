"""A whole bundle, carried to a bare Debian without a network, and run there."""

from __future__ import annotations

import faulthandler
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from pipeline.cli.bundling.debian import own_mirror
from tests.support import ROOT
from tests.support.bare_machine import BareMachine

pytestmark = [pytest.mark.full, pytest.mark.slow, pytest.mark.timeout(1800)]
REFUSING = ("https_proxy", "no_proxy")  # by which no other test fetches anything
PLACE = "/home/user/apps/my mirante"
ROW = re.compile(r"^ *(street|face|yard|road) +(\d+) +(\d+)", re.M)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> BareMachine:
    """A bare machine, to whose user the bundle was carried."""
    faulthandler.cancel_dump_traceback_later()  # it would end the process after five minutes
    folder = tmp_path_factory.mktemp("offline")
    bare = BareMachine(folder / "root", "bookworm", f"{own_mirror()}/debian")
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "bundle"]
    command += ["--cuda", "13", "--extras", "pipeline,tensorrt-rtx", "--split", "60M"]
    made = subprocess.run(
        [*command, "--to", str(folder / "bundle")],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in REFUSING},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    shutil.move(folder / "bundle", bare.home / "bundle")
    sizes = [path.stat().st_size for path in (bare.home / "bundle").glob("*.part")]
    assert len(sizes) > 2
    assert max(sizes) == 60 << 20
    return bare


def test_it_is_installed_by_nobody_special_and_finds_all_that_it_needs(
    machine: BareMachine,
) -> None:
    done = machine.run("python3", "bundle/install.py", "--to", PLACE, timeout_s=600)
    assert done.returncode == 0, done.stderr
    assert f"{PLACE}/bin/mirante doctor" in done.stdout
    done = machine.run(f"{PLACE}/bin/mirante", "doctor", timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all that is needed is here" in done.stdout
    assert "MISSING" not in done.stdout
    for name in ("yolox-street", "yunet", "GstRtspServer-1.0", "openh264enc", "gst-inspect-1.0"):
        assert re.search(rf"^ *ok +{re.escape(name)} ", done.stdout, re.M), name
    assert "Failed to load plugin" not in done.stderr


def test_the_demo_runs_there(machine: BareMachine) -> None:
    done = machine.run(f"{PLACE}/bin/mirante", "demo", "--seconds", "30", timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {name: (int(seen), int(sent)) for name, seen, sent in ROW.findall(done.stdout)}
    assert rows.keys() == {"street", "face", "yard", "road"}, done.stdout
    assert all(seen > 0 and sent > 0 for seen, sent in rows.values()), done.stdout


def test_our_elements_run_in_any_line_of_its_gstreamer(machine: BareMachine) -> None:
    plugins = f"GST_PLUGIN_PATH={PLACE}/lib/python3.11/site-packages/plugins"
    line = "videotestsrc num-buffers=5 ! mirrgb ! mirinfer model=street ! fakesink"
    done = machine.run(
        *("env", plugins, f"{PLACE}/bin/gst-launch-1.0", *line.split()), timeout_s=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_engines_of_float16_are_built_there_by_what_travelled(machine: BareMachine) -> None:
    asked = ["face", "--runtime", "tensorrt-rtx", "--target", "sm89", "--precision", "fp16"]
    command = [f"{PLACE}/bin/mirante", "engines", "build", *asked, "--batch", "1"]
    done = machine.run(*command, timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    found = machine.run(f"{PLACE}/bin/mirante", "engines", "list", timeout_s=300)
    assert re.search(r"face.*tensorrt-rtx.*fp16", found.stdout), found.stdout + found.stderr


def test_what_measures_a_gpu_lacks_nothing_but_that(machine: BareMachine) -> None:
    command = [f"{PLACE}/bin/mirante", "bench", "gpu", "face", "--precision", "fp16"]
    done = machine.run(*command, "--json", "gpu.json", timeout_s=600)
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads((machine.home / "gpu.json").read_text())
    whys = {each["part"]: each["why"] for each in told["parts"]}
    no_gpu = whys["kernels"]
    assert "no NVIDIA driver is here" in no_gpu
    assert "no NVIDIA driver is here" in whys["decode"]
    assert [whys[part] for part in ("engines", "speed", "batcher")] == [no_gpu] * 3
    first, *others = whys["line"].split("; ")
    assert first == no_gpu
    assert others[0].startswith('decode: "nvidia"')  # which takes a driver, or PyNvVideoCodec
    assert not any(word in whys["line"] for word in ("GStreamer is", "RTSP", "redis-server")), whys


def test_the_licences_of_its_packages_are_there(machine: BareMachine) -> None:
    about = json.loads((machine.home / "bundle" / "bundle.json").read_text())
    system = machine.home / PLACE.removeprefix("/home/user/") / "system"
    named = {path.parent.name for path in system.glob("share/doc/*/copyright")}
    assert {"gstreamer1.0-libav", "redis-tools", "libx264-164"} <= named <= about["packages"].keys()
