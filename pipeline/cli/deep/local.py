"""This machine: what it lacks, its decoders, whether it loads the models, and its disks."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator

from pipeline.cli.deep.finding import Finding, judged
from pipeline.cli.deep.workers import disk_finding
from pipeline.config.standard import SHIPPED
from pipeline.control.reports import WorkerReport


def local_findings(reports: Iterable[WorkerReport]) -> Iterator[Finding]:
    """Look at this machine.

    Args:
        reports: of the workers; models are loaded that those on this machine run.
    """
    host = socket.gethostname()
    here = [report for report in reports if report.host == host]
    yield from _lacks()
    yield from _decoders()
    runs = {model.runs: model.name for report in here for model in report.models}
    for path, name in (runs or {SHIPPED: SHIPPED}).items():
        yield _loads(path, name)
    if not any(report.machine.disks for report in here):
        from pipeline.control.disks import own_disks

        yield from (disk_finding(disk, host) for disk in own_disks())


def _lacks() -> Iterator[Finding]:
    from pipeline.doctor import examine

    lacking = [f.need for f in examine() if f.is_missing and f.need.required]
    for need in lacking:
        words = f"missing, for {need.purpose}"
        yield Finding("machine", need.name, "wrong", words, need.command)
    if not lacking:
        yield Finding("machine", "parts", "ok", "all that is needed is here")


def _decoders() -> Iterator[Finding]:
    """The hardware decoders, tried; none where GStreamer cannot be asked, which is told above."""
    try:
        from pipeline.gst.decoder_proof import prove
        from pipeline.gst.decoders import CODECS, hardware_decoders
    except (ImportError, ValueError):
        return
    found = [(each, media) for each in hardware_decoders() for media in each.media]
    for each, media in found:
        proof = prove(each.name, media)
        mend = "decode: software, or the device's driver"
        yield judged(
            "decoder", f"{each.name}, {CODECS[media]}", proof.words, not proof.good, mend, "note"
        )
    if not found:
        words = "no hardware decoder here: video is decoded in software"
        yield Finding("decoder", "hardware", "ok", words)


def _loads(path: str, name: str) -> Finding:
    from engines.model import load

    began_s = time.monotonic()
    try:
        model = load(path)
    except (ValueError, RuntimeError, ImportError, OSError) as error:
        words = f"it does not load: {' '.join(str(error).split())}"
        return Finding("model", f"{name}: here", "wrong", words, f"mirante models pull {name}")
    took_ms = (time.monotonic() - began_s) * 1e3
    words = f"{model.name} loads and runs, {took_ms:.0f} ms"
    return Finding("model", f"{name}: here", "ok", words)
