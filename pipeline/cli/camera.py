"""``mirante camera``: which cameras are wanted, changed while the worker runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from engines.commands import Text, Texts, command
from engines.console import print_table
from pipeline.cli.view_keys import ViewKeys
from pipeline.config.source_kinds import forms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    import redis

    from pipeline.control.entries import Desired
    from pipeline.control.registry import Registry
    from pipeline.control.reports import WorkerReport

app = typer.Typer(
    help="Add, change, pause, remove and list cameras at run time.", no_args_is_help=True
)

RedisOption = Annotated[
    str | None,
    typer.Option(
        "--redis",
        help="Redis address; else MIRANTE_REDIS_URL, the running worker's, redis://127.0.0.1:6379.",
    ),
]
WorkerOption = Annotated[
    str | None,
    typer.Option("--worker", help="Worker that runs it; else the only one that is up, else main."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The camera's name.")]

ANSWER_S = 2.0  # within which Redis answers; the registry's connect() would load much more


def _read_fps(text: str) -> float | dict[str, float]:
    try:
        rates = [float(each) for each in text.split(",")]
    except ValueError:
        rates = []
    if len(rates) not in {1, 2}:
        raise ValueError(f'--fps: expected a number, or two as QUIET,BUSY, got "{text}"')
    return rates[0] if len(rates) == 1 else dict(zip(("quiet", "busy"), rates, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a camera that options name."""

    models: Annotated[
        tuple[str, ...],
        typer.Option(
            "--model",
            help="Zoo name or manifest, or NAME@CLASS on the crops of a class that a model before "
            "it finds; may be repeated; else as the defaults: yolox-street, tracked.",
        ),
        Texts(tuple),
    ] = ()
    fps: Annotated[
        float | dict[str, float] | None,
        typer.Option(
            metavar="FPS",
            help="Maximum frames analysed per second, or QUIET,BUSY: while nothing moves, and "
            "from the first motion on.",
        ),
        Text(_read_fps),
    ] = None
    width: Annotated[int | None, typer.Option(help="Maximum analysed width in pixels.")] = None
    height: Annotated[int | None, typer.Option(help="Maximum analysed height in pixels.")] = None
    transport: Annotated[str | None, typer.Option(help="auto, tcp or udp (rtsp only).")] = None
    view: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A larger stream of the same camera, for the image that people see.",
        ),
    ] = None
    image: ViewKeys = field(default_factory=ViewKeys)

    def given(self, name: str) -> dict[str, Any]:
        """Return those that are given, for the camera of that name.

        Raises:
            ConfigError: no such model, or it does not fit those before it.
        """
        keys = {key: value for key, value in asdict(self).items() if value is not None}
        del keys["image"]
        keys |= self.image.given()
        if models := keys.pop("models"):
            from pipeline.config.stages.stage import stages_of

            keys["stages"] = stages_of("--model", models)
            _check_models(name, keys["stages"])
        return keys


@app.command()
@command
def add(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help=forms())],
    keys: Keys,
    worker: WorkerOption = None,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Let the fleet decide which worker runs it.")
    ] = False,
    needs: Annotated[
        str | None,
        typer.Option(
            metavar="gpu,zone=NAME,label=NAME", help="What that worker must offer; with --fleet."
        ),
    ] = None,
    redis_url: RedisOption = None,
) -> None:
    """Add a camera, or replace one that was added. The worker starts it within a second.

    A password in URL is kept in a file that only you can read, or sealed with the fleet's key, and
    never plain in Redis; '${NAME}' stays as it is, for the worker to look up.
    """
    from pipeline.control.lease import MAIN, holders, is_held, usual

    if worker is not None:
        _check_worker(worker)
    spec = {"url": url} | keys.given(name)
    if fleet or needs is not None:
        if worker is not None:
            raise typer.BadParameter("expected no --worker with --fleet, which decides that")
        _add_to_fleet(name, spec, needs or "", redis_url)
        return
    with connected(redis_url) as client:
        cameras = _registry(client).cameras()
        if name in cameras and cameras[name].fleet:
            words = f'camera "{name}" belongs to the fleet; expected --fleet or --needs'
            raise typer.BadParameter(words)
        worker = worker or usual(holders(client, MAIN), cameras.values())
        with _audited("add camera", client, name, spec, worker=worker):
            _registry(client, worker).put(name, spec)
        lives = is_held(client, worker)
    typer.echo(
        f'camera "{name}" added; see: mirante camera list'
        if lives
        else f'camera "{name}" added; it starts when worker "{worker}" does'
    )


def _add_to_fleet(name: str, spec: dict[str, Any], needs: str, redis_url: str | None) -> None:
    from pipeline.config.settings import Settings
    from pipeline.control.fleet_adding import add_to_fleet
    from pipeline.control.needs import read_needs

    asked, bucket = read_needs(needs), Settings().fleet.models_s3
    with connected(redis_url) as client, _audited("add camera", client, name, spec):
        add_to_fleet(client, name, spec, asked, bucket)
    typer.echo(f'camera "{name}" added to the fleet; see: mirante camera list')


def _with_models(client: redis.Redis, keys: dict[str, Any]) -> dict[str, Any]:
    """Keys of a camera of the fleet, whose worker has none of this machine's models."""
    from pipeline.config.settings import Settings
    from pipeline.control.fleet_adding import with_models

    return with_models(client, keys, Settings().fleet.models_s3)


@app.command()
def remove(name: Name, redis_url: RedisOption = None) -> None:
    """Remove a camera, and its password from the file of credentials."""
    with connected(redis_url) as client, _audited("remove camera", client, name):
        removed = _registry(client).remove(name)
    typer.echo(f'camera "{name}" removed')
    if removed.origin == "config":
        typer.echo(
            f'it is in the configuration of worker "{removed.worker}"; it will come back when '
            "that worker restarts"
        )


@app.command()
@command
def edit(
    name: Name,
    keys: Keys,
    url: Annotated[str | None, typer.Option(metavar="URL", help=forms())] = None,
    default: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY", help="Key to reset to its default, such as fps; may be repeated."
        ),
    ] = None,
    redis_url: RedisOption = None,
) -> None:
    """Change a camera that was added; what no option names is kept, the password too."""
    changes: dict[str, Any] = dict.fromkeys(default or ())
    changes |= keys.given(name)
    if url is not None:
        changes["url"] = url
    if not changes:
        raise typer.BadParameter("expected an option that says what to change")
    with connected(redis_url) as client, _audited("change camera", client, name, changes):
        entry = _registry(client).cameras().get(name)
        if entry is not None and entry.fleet:
            changes = _with_models(client, changes)
        _registry(client).edit(name, changes)
    typer.echo(f'camera "{name}" is changed; see: mirante camera list')


@app.command()
def pause(name: Name, redis_url: RedisOption = None) -> None:
    """Stop a camera, but keep it; also one of the configuration, over restarts."""
    with connected(redis_url) as client, _audited("pause camera", client, name):
        _registry(client).pause(name)
    typer.echo(f'camera "{name}" is paused; to resume: mirante camera resume {name}')


@app.command()
def resume(name: Name, redis_url: RedisOption = None) -> None:
    """Resume a paused camera."""
    with connected(redis_url) as client, _audited("resume camera", client, name):
        _registry(client).resume(name)
    typer.echo(f'camera "{name}" is resumed; see: mirante camera list')


@app.command()
def wake(
    name: Name,
    seconds: Annotated[
        float, typer.Option("--for", help="Seconds from now.", min=0.1, max=3600)
    ] = 10.0,
    redis_url: RedisOption = None,
) -> None:
    """Say that something happens before a camera: it wakes, and models look at each frame."""
    from pipeline.control.registry import no_camera
    from pipeline.control.wakes import ask_wake

    with connected(redis_url) as client, _audited("wake camera", client, name):
        cameras = _registry(client).cameras()
        if name not in cameras:
            raise ValueError(no_camera(name, cameras))
        words = ask_wake(client, cameras[name].worker, name, seconds)
    typer.echo(words)


@app.command("list")
def list_(redis_url: RedisOption = None) -> None:
    """List every configured camera and its state."""
    from pipeline.config.camera_url import redact
    from pipeline.control.reports import reports

    rows = []
    with connected(redis_url) as client:
        workers = reports(client)
        for name, desired in _registry(client).cameras().items():
            status, report = _actual(client, desired), workers.get(desired.worker)
            camera = report and report.cameras.get(name)
            if camera and camera.sleep and camera.sleep.asleep and status["state"] == "running":
                status["state"] = "running, asleep"
            rows.append(
                [
                    *(name, status["state"], status["reason"]),
                    redact(str(desired.spec["url"])),
                    _stages(desired, report),
                    desired.origin,
                    desired.worker,
                ]
            )
    print_table(["camera", "state", "reason", "url", "stages", "origin", "worker"], rows)


def _audited(
    action: str,
    client: redis.Redis,
    name: str,
    keys: Mapping[str, Any] | None = None,
    **about: str,
) -> AbstractContextManager[object]:
    from pipeline.control.audit import by_command, told_keys

    detail = told_keys(keys or {})
    return by_command(action, client, camera=name, detail=detail, **about)


@contextmanager
def connected(option: str | None) -> Iterator[redis.Redis]:
    """Yield a client that answers, of the Redis that ``option`` or the machine names.

    Raises:
        ValueError: the address is none.
        RedisAwayError: it does not answer, or refuses a command; with its address and in words.
    """
    import redis

    from mirante.redis_url import RedisUrl, refuses
    from pipeline.control.worker_file import redis_address

    url = RedisUrl(redis_address(option))
    with url.shaped_client(ANSWER_S) as client:
        try:
            client.ping()
        except redis.RedisError as error:
            if refuses(error):
                raise RedisAwayError(url.explain(error)) from None
            raise RedisAwayError(
                f"no answer from Redis at {url}: {url.words(error)}. Is a worker running "
                "(mirante up CONFIG)? Another Redis is named by --redis or MIRANTE_REDIS_URL"
            ) from None
        try:
            yield client
        except redis.RedisError as error:
            raise RedisAwayError(url.explain(error)) from None


class RedisAwayError(RuntimeError):
    """Redis does not answer, or refuses."""


def _registry(client: redis.Redis, worker: str = "main") -> Registry:
    from pipeline.control.registry import Registry

    return Registry(client, worker)


def _stages(desired: Desired, report: WorkerReport | None) -> str:
    """What its frames pass, also where its worker chose that."""
    from pipeline.config.stages.stage import read_stage

    said = report.stages_of(desired.spec) if report else desired.spec.get("stages")
    if said is None:
        return "its worker's defaults"
    stages = [read_stage(one) for one in said]
    return ", ".join(stage.name if stage else "unknown" for stage in stages)


def _check_worker(worker: str) -> None:
    """Refuses what no configuration can call its worker, in the configuration's words."""
    from mirante.keys import CAMERA_NAME
    from pipeline.config.messages import NAME_WORDS, ConfigError, show

    if not re.fullmatch(CAMERA_NAME, worker):
        raise ConfigError("camera", [f"worker: {show(worker)} — expected {NAME_WORDS}"])


def _check_models(name: str, specs: list[dict[str, str]]) -> None:
    from engines.store.models import use_default_mirror
    from pipeline.config.messages import ConfigError
    from pipeline.config.references import check_stages
    from pipeline.config.stages.stage import STAGES
    from pipeline.control.carried_models import pinned

    use_default_mirror()
    if any(pinned(spec.get("model", "")) for spec in specs):
        return  # what it finds is known where it is fetched
    if lines := list(check_stages(STAGES.validate_python(specs), f"{name}.stages")):
        raise ConfigError("camera", lines)


def _actual(client: redis.Redis, desired: Desired) -> dict[str, Any]:
    """The newest message of the camera's ``status`` stream, when its worker lives to mean it; of a
    paused camera that it is.
    """
    import redis

    from mirante.keys import PROBE, key
    from mirante.refusal import WORDS, refusal
    from pipeline.control.lease import is_held

    if desired.paused:
        return {"state": "paused", "reason": f"to resume: mirante camera resume {desired.name}"}
    if not is_held(client, desired.worker):
        try:
            client.rpushx(PROBE, "")
        except redis.ResponseError as error:
            if code := refusal(error):
                return {"state": "unknown", "reason": f"Redis {WORDS[code]}"}
        return {"state": "unknown", "reason": desired.without_worker}
    newest = cast(
        list[tuple[bytes, dict[bytes, bytes]]],
        client.xrevrange(key(desired.name, "status"), count=1),
    )
    if not newest:
        return {"state": "not started", "reason": ""}
    return cast(dict[str, Any], json.loads(newest[0][1][b"json"]))
