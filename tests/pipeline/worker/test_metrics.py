from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from mirante.frame import Counts
from pipeline.control.build_report import BuildReport
from pipeline.control.onvif_report import OnvifReport
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.reports import BOUNDS_S, CameraReport, WorkerState
from pipeline.worker.metrics import STATES, Latency
from pipeline.worker.metrics_server import MetricsServer, MetricsServerError
from tests.support import ROOT
from tests.support.worker_states import AWAY, GATE, OUTBOX, PAUSED, READY, with_models, worker

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def fetch(server: MetricsServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def scrape(state: WorkerState) -> Samples:
    with MetricsServer("127.0.0.1", 0, lambda: state) as server:
        status, text = fetch(server, "/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of_gate(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted({"camera": "gate", **labels}.items()))]


def test_every_frame_is_in_exactly_one_counter() -> None:
    samples = scrape(worker(gate=GATE))
    total = {
        name: sum(value for (n, _), value in samples.items() if n == f"mirante_frames_{name}")
        for name in ("decoded_total", "published_total", "dropped_total", "failed_total")
    }
    in_flight = of_gate(samples, "mirante_frames_in_flight")
    assert total["decoded_total"] == 23
    assert in_flight == 3
    assert total["decoded_total"] == in_flight + sum(
        total[name] for name in ("published_total", "dropped_total", "failed_total")
    )
    assert of_gate(samples, "mirante_frames_dropped_total", reason="rate") == 4
    assert of_gate(samples, "mirante_frames_skipped_total", reason="still") == 5


def test_sleep_and_cost_of_a_camera() -> None:
    samples = scrape(worker(gate=GATE, awake=replace(GATE, sleep=None, cpu_s=2.5)))
    assert of_gate(samples, "mirante_camera_asleep") == 1
    assert of_gate(samples, "mirante_camera_asleep_seconds_total") == 90.5
    assert of_gate(samples, "mirante_camera_wakes_total", reason="motion") == 2
    assert of_gate(samples, "mirante_camera_unseen_images_total") == 7
    assert of_gate(samples, "mirante_camera_cpu_seconds_total") == 1.5
    assert samples["mirante_camera_cpu_seconds_total", (("camera", "awake"),)] == 2.5
    assert ("mirante_camera_asleep", (("camera", "awake"),)) not in samples


def test_what_a_camera_holds_of_a_gpu() -> None:
    samples = scrape(worker(gate=GATE, elsewhere=replace(GATE, held=None)))
    assert of_gate(samples, "mirante_camera_gpu_surfaces") == 2
    assert of_gate(samples, "mirante_camera_gpu_bytes") == 6_220_800
    assert ("mirante_camera_gpu_bytes", (("camera", "elsewhere"),)) not in samples


def test_events_of_the_camera_itself() -> None:
    lost = OnvifReport(state="connecting", reason="it does not answer", events=1)
    deaf = replace(GATE, onvif=None)
    samples = scrape(worker(gate=GATE, yard=replace(GATE, onvif=lost), deaf=deaf))
    assert of_gate(samples, "mirante_onvif_subscribed") == 1
    assert of_gate(samples, "mirante_onvif_events_total") == 4
    assert of_gate(samples, "mirante_onvif_failures_total") == 2
    assert samples["mirante_onvif_subscribed", (("camera", "yard"),)] == 0
    assert ("mirante_onvif_subscribed", (("camera", "deaf"),)) not in samples


def test_published_never_falls_when_the_ring_overflows() -> None:
    """The ledger moves lost frames from published to dropped; a counter must not go back."""
    before = replace(GATE, counts=Counts(20, 12, {"rate": 4, "queue": 2}, 2))
    values = [
        of_gate(scrape(worker(gate=camera)), "mirante_frames_published_total")
        for camera in (before, GATE)
    ]
    assert values == [12, 12]
    samples = scrape(worker(gate=GATE))
    assert of_gate(samples, "mirante_outbox_lost_frames_total") == 3
    assert of_gate(samples, "mirante_outbox_lost_events_total") == 2


def test_state_is_one_of_all() -> None:
    samples = scrape(worker(gate=GATE))
    states = {state: of_gate(samples, "mirante_camera_state", state=state) for state in STATES}
    assert states == {state: float(state == "running") for state in STATES}


def test_latency_histogram() -> None:
    latency = Latency()
    for seconds in (0.001, BOUNDS_S[0], 0.2, 99.0):
        latency.observe(seconds)
    camera = replace(GATE, latency=latency.report())
    samples = scrape(worker(gate=camera))
    name = "mirante_capture_to_publish_seconds"
    assert of_gate(samples, f"{name}_bucket", le=str(BOUNDS_S[0])) == 2
    assert of_gate(samples, f"{name}_bucket", le="0.25") == 3
    assert of_gate(samples, f"{name}_bucket", le="+Inf") == 4
    assert of_gate(samples, f"{name}_count") == 4
    assert of_gate(samples, f"{name}_sum") == pytest.approx(99.206)


def test_outbox() -> None:
    samples = scrape(worker())
    assert samples["mirante_redis_connected", ()] == 1
    assert samples["mirante_outbox_depth", ()] == 4
    assert samples["mirante_outbox_sent_total", ()] == 8
    assert samples["mirante_outbox_refused_total", ()] == 1


def test_a_paused_camera_has_no_state_and_does_not_make_the_worker_unready() -> None:
    state = worker(gate=PAUSED)
    samples = scrape(state)
    assert {name for name, labels in samples if ("camera", "gate") in labels} == {
        "mirante_camera_paused",
        "mirante_outbox_lost_events_total",
        "mirante_outbox_lost_frames_total",  # lost before; a counter never goes
        "mirante_retention_cut_entries_total",
    }
    assert of_gate(samples, "mirante_camera_paused") == 1
    assert state.not_ready() == []


def test_labels_hold_neither_addresses_nor_tracks() -> None:
    samples = scrape(worker(gate=GATE))
    labels = {name for _, pairs in samples for name, _ in pairs}
    assert labels <= {
        *("camera", "state", "reason", "le", "kind"),
        *("zone", "line", "way", "label", "gpu", "use"),
    }


def test_events_and_objects() -> None:
    samples = scrape(worker(gate=GATE))
    assert of_gate(samples, "mirante_events_total", kind="object-new") == 5
    assert of_gate(samples, "mirante_events_total", kind="camera-lost") == 1
    assert of_gate(samples, "mirante_objects_total", label="person") == 5
    for number, way in ((6, "entered"), (7, "left")):
        of_zone = {"zone": "shop", "way": way, "label": "person"}
        assert of_gate(samples, "mirante_zone_objects_total", **of_zone) == number
    for number, way in ((8, "in"), (9, "out")):
        of_line = {"line": "door", "way": way, "label": "person"}
        assert of_gate(samples, "mirante_line_objects_total", **of_line) == number


@pytest.mark.parametrize(
    ("camera", "outbox", "status", "text"),
    [
        (GATE, OUTBOX, 200, "ready\n"),
        (replace(GATE, state="failed"), OUTBOX, 200, "ready\n"),
        (
            replace(GATE, state="connecting", reason="first attempt", tried=False),
            OUTBOX,
            503,
            "camera gate: connecting: first attempt\n",
        ),
        (
            GATE,
            AWAY,
            503,
            "redis: connection refused\n",
        ),
    ],
)
def test_ready(camera: CameraReport, outbox: OutboxReport, status: int, text: str) -> None:
    with MetricsServer("127.0.0.1", 0, lambda: worker(outbox, gate=camera)) as server:
        assert fetch(server, "/readyz") == (status, text)
        assert fetch(server, "/livez") == (200, "alive\n")
        assert fetch(server, "/")[0] == 404


def test_a_snapshot_that_fails_is_an_answer_and_not_the_end() -> None:
    def fail() -> WorkerState:
        raise RuntimeError("rtsp://me:hunter2@h")

    with MetricsServer("127.0.0.1", 0, fail) as server:
        assert fetch(server, "/metrics") == (500, "see the log\n")
        assert fetch(server, "/livez")[0] == 200


def test_port_that_is_taken() -> None:
    state = worker()
    with (
        MetricsServer("127.0.0.1", 0, lambda: state) as server,
        pytest.raises(MetricsServerError, match=r"metrics.port: \d+ — Address already in use"),
    ):
        MetricsServer("127.0.0.1", server.port, lambda: state)


def test_models_and_their_engines() -> None:
    builds = {
        "street": READY,
        "face": BuildReport("building", "tactics", 0.4),
        "road": BuildReport("failed", "no such op"),
    }
    said = scrape(with_models(worker(), **builds))
    info = [labels for name, labels in said if name == "mirante_model_info"]
    wanted = {"model": "street", "runs": "engines/x.yaml", "runtime": "openvino"}
    assert [dict(labels) for labels in info] == [wanted | {"precision": "int8", "parity": "proved"}]
    built = [dict(labels) for name, labels in said if name == "mirante_engine_build"]
    assert {each["model"]: each["state"] for each in built} == {
        "street": "ready",
        "face": "building",
        "road": "failed",
    }


def test_memory_of_gpus() -> None:
    said = scrape(worker())
    found = {labels: value for (name, labels), value in said.items() if "gpu_memory" in name}
    assert found == {
        (("gpu", "0"), ("use", "lanes")): 5 << 20,
        (("gpu", "0"), ("use", "pinned")): 1 << 20,
    }


def test_page_names_every_metric() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    ends = ("_bucket", "_count", "_sum", "_created")
    names = {
        name.removesuffix(next((end for end in ends if name.endswith(end)), ""))
        for name, _ in scrape(with_models(worker(gate=GATE, yard=PAUSED), street=READY))
    }
    described = re.findall(r"^\| `(mirante_(?!dashboard_|fleet_)\w+)`", page, re.MULTILINE)
    assert set(described) == names
