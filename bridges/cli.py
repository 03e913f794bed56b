"""``mirante bridge``: carry results and events to where others listen."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from bridges.files.options import Files
from bridges.kafka.options import Kafka
from bridges.metropolis.options import Metropolis
from bridges.mqtt.options import Options as MqttOptions
from bridges.reading import Reading
from bridges.webhook.given import Given
from engines.commands import command
from pipeline.cli.camera import RedisOption

app = typer.Typer(no_args_is_help=True, help="Carry results and events to where others listen.")


@app.callback()
def _bridge() -> None:
    """Carry results and events to where others listen."""


@app.command()
@command
def mqtt(options: MqttOptions, reading: Reading) -> None:
    """Publish states, counts, events and images to an MQTT broker, for Home Assistant too."""
    _check_installed("mqtt", "paho")
    from bridges.carrying import run
    from bridges.mqtt.bridge import MqttBridge

    run(MqttBridge(options, reading), reading)


@app.command("files", no_args_is_help=True)
@command
def to_files(options: Files, reading: Reading) -> None:
    """Write each entry to files, once: JSON Lines or Parquet, in a folder for each kind."""
    from bridges.carrying import run
    from bridges.files.bridge import FilesBridge

    run(FilesBridge(options), reading)


@app.command()
@command
def webhook(given: Given, reading: Reading) -> None:
    """Send each event to an address by HTTP, until Ctrl-C."""
    _check_installed("webhook", "jinja2", "httpx")
    from bridges.webhook.running import run

    run(given, reading)


@app.command("kafka", no_args_is_help=True)
@command
def to_kafka(options: Kafka, reading: Reading) -> None:
    """Produce each entry to Kafka, keyed by its camera."""
    _check_installed("kafka", "confluent_kafka")
    from bridges.carrying import run
    from bridges.kafka.bridge import KafkaBridge

    run(KafkaBridge(options), reading)


@app.command()
@command
def metropolis(options: Metropolis, reading: Reading) -> None:
    """Write results to mdx-raw, as DeepStream does; add and remove cameras as VST says."""
    from bridges.carrying import run
    from bridges.metropolis.bridge import MetropolisBridge

    run(MetropolisBridge(options, reading), reading)


@app.command("list")
def list_bridges(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Exit with 1 unless this one runs.")
    ] = None,
    redis_url: RedisOption = None,
) -> None:
    """Show the bridges that run, or ran within a day, and how far behind they are."""
    from bridges.listing import show

    if not show(Reading(redis=redis_url).address(), name):
        raise typer.Exit(1)


def _check_installed(extra: str, *modules: str) -> None:
    """Raise a RuntimeError that says what to install where a module is missing."""
    if missing := [name for name in modules if find_spec(name) is None]:
        needs = " and ".join(missing)
        raise RuntimeError(f"this bridge needs {needs}: pip install 'mirante[{extra}]'")
