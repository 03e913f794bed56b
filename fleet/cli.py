"""``mirante fleet``: workers on many machines, and which of them has which camera."""

from __future__ import annotations

import threading
from functools import partial
from importlib.util import find_spec
from typing import Annotated

import typer

from engines.commands import command
from fleet import models_cli
from fleet.simulation.plan import Plan
from pipeline.cli.camera import RedisOption, connected

app = typer.Typer(no_args_is_help=True, help="Workers on many machines, and their cameras.")
app.add_typer(models_cli.app, name="models")

Nodes = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Nodes on this machine, with a worker each; else Ray's own."),
]
Seconds = Annotated[float | None, typer.Option(min=1, help="Stop after this many seconds.")]


@app.callback()
def _fleet() -> None:
    """Workers on many machines, and which of them has which camera."""


@app.command()
def keep(redis_url: RedisOption = None) -> None:
    """Decide which worker has which camera, until Ctrl-C. Several may run: one decides, and another
    takes its place within two seconds.
    """
    from contextlib import ExitStack

    from fleet.keeping import keep as keep_fleet
    from pipeline.config.settings import Log
    from pipeline.control.worker_file import redis_address
    from pipeline.logs import configure_logs
    from pipeline.worker.process import stop_on_signals

    configure_logs(Log())
    stop = threading.Event()
    with ExitStack() as around:
        stop_on_signals(stop, around)
        keep_fleet(redis_address(redis_url), stop)


@app.command()
def drain(
    name: Annotated[
        str, typer.Argument(metavar="WORKER|NODE|HOST", help="Who gives its cameras away.")
    ],
    undo: Annotated[bool, typer.Option("--undo", help="Give it cameras again.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return once it has none.")] = False,
    redis_url: RedisOption = None,
) -> None:
    """Give the cameras of a worker, or of all workers of a node or a host, to others, without a
    gap.
    """
    from fleet.draining import drain as drain_fleet
    from fleet.draining import running_on, wait_empty, workers_of
    from pipeline.control.audit import by_command

    with connected(redis_url) as client:
        with by_command("undo drain" if undo else "drain", client):
            drain_fleet(client, name, undo)
        if wait:
            find = partial(workers_of, client, name)
            left = wait_empty(client, find, float("inf"), partial(_say_left, name))
        else:
            left = running_on(client, name)
    words = "may have cameras again" if undo else "is drained"
    typer.echo(f"{name}: {words}; it has {len(left)} cameras now")


@app.command()
def leave(
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=1, help="Stop waiting after this many seconds.")
    ] = 30.0,
    redis_url: RedisOption = None,
) -> None:
    """Give the cameras of this machine's, or container's, workers to others, and wait: before it is
    stopped. They have cameras again once they are started again. Exit 1 if some are left.
    """
    import socket

    from fleet import draining

    host = socket.gethostname()
    with connected(redis_url) as client:
        workers = draining.leave(client, host)
        left = draining.wait_empty(client, lambda: workers, timeout_s, partial(_say_left, host))
    typer.echo(f"{host}: {len(workers)} workers leave; they have {len(left)} cameras now")
    if left:
        raise typer.Exit(1)


def _say_left(name: str, cameras: int) -> None:
    typer.echo(f"{name}: waiting until others have taken over {cameras} cameras", err=True)


@app.command()
def status(
    like: Annotated[
        str | None,
        typer.Option(metavar="CAMERA", help="Show how many more cameras like this one fit."),
    ] = None,
    redis_url: RedisOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the keeper's report.")] = False,
) -> None:
    """Show machines, workers, moves, and how many more cameras fit; exit 1 without a keeper."""
    from fleet.status import show
    from pipeline.control.worker_file import redis_address

    if not show(redis_address(redis_url), like, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def key(
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Put a new key before those in the file.")
    ] = False,
    reseal: Annotated[
        bool, typer.Option("--reseal", help="Seal all cameras' passwords with the newest key.")
    ] = False,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Keep the newest key alone; refused while in use.")
    ] = False,
    redis_url: RedisOption = None,
) -> None:
    """Make this installation's key, or change it: --rotate, copy the file to every machine of the
    fleet, --reseal, --drop-old. The key itself is shown by nothing.
    """
    from fleet.secrets import Step, change

    asked: dict[Step, bool] = {"rotate": rotate, "reseal": reseal, "drop-old": drop_old}
    steps = [step for step, is_asked in asked.items() if is_asked]
    if len(steps) > 1:
        raise typer.BadParameter("expected one of --rotate, --reseal and --drop-old at a time")
    typer.echo(change(steps[0] if steps else None, redis_url))


@app.command()
@command
def simulate(plan: Plan) -> None:
    """Run a fleet whose cameras and workers only pretend, over a real Redis; how soon all is well.

    Exit 1 if a step takes longer than --timeout.
    """
    from fleet.simulation.run import show

    if not show(plan):
        raise typer.Exit(1)


@app.command()
def up(
    nodes: Nodes = None,
    demo: Annotated[bool, typer.Option("--demo", help="Add four drawn cameras a node.")] = False,
    stay: Annotated[
        bool,
        typer.Option("--stay", help="Leave a cluster's workers running; the next one finds them."),
    ] = False,
    page: Annotated[bool, typer.Option(help="Serve the dashboard.")] = True,
    seconds: Seconds = None,
    redis_url: Annotated[
        str | None, typer.Option("--redis", help="Redis address; else a private one is started.")
    ] = None,
) -> None:
    """Run a fleet by Ray: on this machine with --nodes, else on the cluster that Ray finds."""
    _need_ray()
    from fleet.running import Asked, run_fleet

    raise typer.Exit(run_fleet(Asked(nodes, demo, stay, page, seconds, redis_url)))


@app.command()
def faults(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each fault.")] = 10,
    nodes: Annotated[int, typer.Option(min=2, max=16, help="Nodes on this machine.")] = 3,
    only: Annotated[str | None, typer.Option(help="Run only this fault.")] = None,
) -> None:
    """Kill and freeze parts of a fleet on this machine, and print how it came through, at worst."""
    _need_ray()
    from fleet.faults import FAULTS, run_rounds

    if only is not None and only not in FAULTS:
        raise ValueError(f'--only: "{only}" — expected one of {", ".join(FAULTS)}')
    raise typer.Exit(run_rounds(rounds, nodes, [only] if only else list(FAULTS)))


def _need_ray() -> None:
    if find_spec("ray") is None:
        raise ValueError("Ray is not installed: pip install mirante[fleet], or ./run fleet up")
