"""What workers say of themselves, as metrics and reports are given it."""

from __future__ import annotations

from msgspec import structs

from mirante.counts import Metric
from mirante.frame import Counts
from pipeline.control.build_report import BuildReport
from pipeline.control.counted_report import CountedReport
from pipeline.control.held_report import HeldReport
from pipeline.control.onvif_report import OnvifReport
from pipeline.control.outbox_report import CutReport, OutboxReport
from pipeline.control.reports import CameraReport, ModelReport, WorkerState
from pipeline.control.sleep_report import SleepReport

COUNTS = Counts(
    decoded=20,
    published=9,
    dropped={"rate": 4, "queue": 2, "outbox": 3},
    failed=2,
    skipped={"still": 5},
)
_DID: list[tuple[Metric, str]] = [
    *(("new", ""), ("entered", "shop"), ("left", "shop")),
    *(("in", "door"), ("out", "door")),
]
COUNTED = tuple(
    CountedReport(metric=metric, place=place, label="person", number=number)
    for number, (metric, place) in enumerate(_DID, 5)
)
GATE = CameraReport(
    state="running",
    reason="frames arrive",
    counts=COUNTS,
    in_flight=3,
    detections=33,
    events={"object-new": 5, "camera-lost": 1},
    counted=COUNTED,
    sleep=SleepReport(asleep=True, asleep_s=90.5, of_s=120.0, wakes={"motion": 2}, unseen=7),
    onvif=OnvifReport(state="subscribed", events=4, failures=2),
    cpu_s=1.5,
    cpu_percent=1.9,
    held=HeldReport(surfaces=2, bytes=6_220_800, most=4),
)
PAUSED = CameraReport(state="stopped", reason="paused", counts=None, in_flight=0, detections=0)
CUT = CutReport(entries=7, kept_s=4.2, max_mib=64)
OUTBOX = OutboxReport(
    connected=True,
    words="",
    depth=4,
    sent=8,
    lost={"gate": 3},
    refused=1,
    lost_events={"gate": 2},
    cut={"gate": {"masks": CUT}},
)
AWAY = OutboxReport(
    connected=False, words="connection refused", depth=0, sent=0, lost={}, refused=0
)
READY = BuildReport("ready")
MODEL = ModelReport(
    name="street",
    runs="engines/x.yaml",
    runtime="openvino",
    precision="int8",
    parity="proved",
    before=("street",),
)


GPU_MEMORY = {"0": {"lanes": 5 << 20, "pinned": 1 << 20}}


def worker(outbox: OutboxReport = OUTBOX, **cameras: CameraReport) -> WorkerState:
    """A worker with these cameras, and no model."""
    return WorkerState(outbox=outbox, cameras=cameras, models=(), builds={}, gpu_memory=GPU_MEMORY)


def with_models(state: WorkerState, **builds: BuildReport) -> WorkerState:
    """The same worker, which runs a model; engines are made as ``builds`` says."""
    return structs.replace(state, models=(MODEL,), builds=builds)
