"""Measure the bridge to MQTT: events a second and CPU, for docs/bridges/mqtt.md.

    .venv/bin/python docs/mqtt_cost.py --events 20000

A Redis and a mosquitto of its own, both on this machine; events of 300 bytes that wait in Redis, as
after an outage. A second process listens and checks that each came once, in order. CPU is that of
the bridge's process alone.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bridges.carrying import Carrier
from bridges.mqtt.bridge import MqttBridge
from bridges.mqtt.options import Options
from bridges.reading import Reading
from bridges.throughput import fill
from mirante.redis_url import RedisUrl
from pipeline.worker.redis_server import RedisServer

PROGRAM = shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin") or "mosquitto"


def listen(port: int, events: int) -> None:
    """Say READY, then whether all events came once, in order."""
    got: list[str] = []
    done = threading.Event()

    def heard(_client: object, _data: object, message: object) -> None:
        got.append(msgspec.json.decode(message.payload)["id"])  # type: ignore[attr-defined]
        if len(got) >= events:
            done.set()

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = heard
    client.on_subscribe = lambda *_: print("READY", flush=True)  # noqa: T201
    client.connect("127.0.0.1", port)
    client.subscribe("mirante/+/events", 1)
    client.loop_start()
    is_whole = done.wait(600) and got == [f"camera-0-{n}" for n in range(events)]
    client.loop_stop()
    print("each once, in order" if is_whole else f"{len(got)} came", flush=True)  # noqa: T201


def cpu_s() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def broker(folder: Path, is_delayed: bool) -> Iterator[int]:
    """Run mosquitto; yield its port.

    Args:
        folder: for its configuration.
        is_delayed: leave ``set_tcp_nodelay`` out, as Debian does.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        + ("" if is_delayed else "set_tcp_nodelay true\n")
    )
    process = subprocess.Popen([PROGRAM, "-c", config], stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def measure(events: int, protocol: Literal["5", "3.1.1"], is_delayed: bool) -> None:
    """Run once and print a row."""
    with (
        RedisServer(port=0) as server,
        tempfile.TemporaryDirectory() as folder,
        broker(Path(folder), is_delayed) as port,
    ):
        fill(RedisUrl(server.url), "events", events, cameras=1)
        command = [sys.executable, __file__, "--listen", str(port), "--events", str(events)]
        listener = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert listener.stdout is not None
        assert listener.stdout.readline() == "READY\n"
        options = Options(url=f"mqtt://127.0.0.1:{port}", protocol=protocol, snapshot_s=0)
        reading, stop = Reading(redis=server.url, since_s=1e10), threading.Event()
        carrier = Carrier(MqttBridge(options, reading), reading, stop)
        thread = threading.Thread(target=carrier.run)
        began_s, used_s = time.monotonic(), cpu_s()
        thread.start()
        said = listener.stdout.readline().strip()
        took_s, used_s = time.monotonic() - began_s, cpu_s() - used_s
        stop.set()
        thread.join()
        listener.wait()
    rate, each_us, share = events / took_s, 1e6 * used_s / events, 100 * used_s / took_s
    words = f"{rate:,.0f} events/s, {each_us:.0f} us of CPU an event, {share:.0f} % of a core"
    print(f"MQTT {protocol}: {words}; {said}")  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--delayed", action="store_true", help="without set_tcp_nodelay")
    parser.add_argument("--listen", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.listen:
        listen(asked.listen, asked.events)
    else:
        measure(asked.events, "5", asked.delayed)
        measure(asked.events, "3.1.1", asked.delayed)
