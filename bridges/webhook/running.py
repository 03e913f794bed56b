"""The hooks of a command, each a bridge of its own: none waits for another."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace

import redis
import typer

from bridges.carrying import LANE, Carrier, logging_until_stopped
from bridges.reading import Reading
from bridges.webhook.dead_letters import dead_letters, remove
from bridges.webhook.delivery import HookBridge
from bridges.webhook.given import Given
from bridges.webhook.load import load_hooks, parse_hooks
from bridges.webhook.options import Hook, Hooks
from bridges.webhook.posting import Answer, shown
from mirante.redis_url import RedisUrl
from pipeline.control.rpc import Requests

log = logging.getLogger("mirante.bridge")

_LOOK_S = 0.25  # at requests of the page
_AT_ONCE = 0.0, 0.0  # a hook's lanes make their own pauses
_AGAIN_S = 5.0  # before a Redis that was away is asked for them again


@dataclass(frozen=True)
class Running:
    """A hook and what it reads.

    Attributes:
        name: of the bridge.
        hook: where to, and as what.
        reading: which events.
    """

    name: str
    hook: Hook
    reading: Reading


def run(given: Given, reading: Reading) -> None:
    """Carry until Ctrl-C, or do what was asked instead.

    Raises:
        ConfigError, ValueError: an option, or the file, is not as it should be.
        RuntimeError: a bridge of that name runs, or something was not delivered again.
        redis.RedisError: Redis does not answer.
    """
    hooks, several = hooks_of(given, reading)
    _quieten()
    if given.dead:
        for each in several:
            _show_dead(each)
    elif given.test or given.redeliver:
        _once(_test if given.test else _redeliver, hooks, several)
    else:
        with logging_until_stopped() as stop:
            carry(hooks, several, stop)


def hooks_of(given: Given, reading: Reading) -> tuple[Hooks, list[Running]]:
    """Return the checked hooks, and what each is to read.

    Raises:
        ConfigError, ValueError: an option, or the file, is not as it should be.
    """
    if given.hooks is None:
        hooks = parse_hooks(given.document())
        return hooks, [Running(reading.named("webhook"), hooks.hooks["webhook"], reading)]
    given.check_alone()
    for name in ("where", "name", "group"):
        if getattr(reading, name) is not None:
            raise ValueError(f"--{name}: expected each hook's own in the file of --hooks")
    if reading.cameras != ("*",):
        raise ValueError("--camera: expected each hook's own in the file of --hooks")
    hooks = load_hooks(given.hooks)
    return hooks, [
        Running(
            f"webhook-{name}",
            hook,
            replace(reading, name=f"webhook-{name}", cameras=tuple(hook.cameras), where=hook.where),
        )
        for name, hook in hooks.hooks.items()
    ]


def carry(hooks: Hooks, several: list[Running], stop: threading.Event) -> None:
    """Carry until ``stop`` is set, or one of the hooks cannot go on, which ends all.

    Raises:
        RuntimeError, ValueError, redis.RedisError: as ``Carrier.run``.
    """
    for each in several:  # before anything is opened
        each.reading.plan(HookBridge.kind, HookBridge.kinds)
    bridges = {each.name: _bridge(hooks, each) for each in several}
    carriers = [
        Carrier(bridges[each.name], each.reading, stop, _AT_ONCE, lane=LANE) for each in several
    ]
    with ThreadPoolExecutor(len(several), thread_name_prefix="hook") as pool:
        runs = [pool.submit(carrier.run) for carrier in carriers]
        try:
            with _tests(several, bridges) as poll:
                while not stop.is_set() and not any(run.done() for run in runs):
                    poll()
                    stop.wait(_LOOK_S)
        finally:
            stop.set()
            wait(runs)
    for run in runs:
        run.result()


def _bridge(hooks: Hooks, each: Running) -> HookBridge:
    return HookBridge(each.name, each.hook, hooks.links, RedisUrl(each.reading.address()))


@contextmanager
def _tests(several: list[Running], bridges: dict[str, HookBridge]) -> Iterator[Callable[[], None]]:
    """Yield what answers the page's requests to test a hook; called often, it never waits long."""
    client = RedisUrl(several[0].reading.address()).shaped_client()

    def handler(name: str) -> Callable[[object], bytes]:
        return lambda _request: json.dumps(told(bridges[name].test())).encode()

    waiting = [Requests(client, name, {"hook": handler(name)}) for name in bridges]
    not_before_s = 0.0

    def poll() -> None:
        nonlocal not_before_s
        if time.monotonic() < not_before_s:
            return
        try:
            for each in waiting:
                each.poll()
        except redis.RedisError as error:
            log.debug("no requests: %s", error)
            not_before_s = time.monotonic() + _AGAIN_S

    try:
        yield poll
    finally:
        client.close()


def told(answer: Answer) -> dict[str, object]:
    """Return an answer as the page shows it."""
    return {
        "status": answer.status,
        "words": answer.words,
        "head": shown(answer.head),
        "seconds": round(answer.seconds, 3),
        "taken": answer.meaning == "taken",
    }


def _once(act: Callable[[Running, HookBridge], str], hooks: Hooks, several: list[Running]) -> None:
    failures = []
    for each in several:
        bridge = _bridge(hooks, each)
        try:
            failures.append(act(each, bridge))
        finally:
            bridge.close()
    if words := [each for each in failures if each]:
        raise RuntimeError("; ".join(words))


def _test(each: Running, bridge: HookBridge) -> str:
    answer = bridge.test()
    typer.echo(f"{each.name}  {each.hook.shown}  {answer.words}  {answer.seconds * 1e3:.0f} ms")
    return "" if answer.meaning == "taken" else f"{each.name}: the test was not taken"


def _redeliver(each: Running, bridge: HookBridge) -> str:
    """Send the dead letters of a hook, oldest first, until one is not taken for now."""
    sent, refused = 0, 0
    with RedisUrl(each.reading.address()).client() as client:
        for letter in dead_letters(client, each.name):
            if letter.event is None:
                refused += 1
                continue
            answer = bridge.send_once(letter.event)
            if answer.meaning == "again":
                return f"{each.name}: {sent} delivered; then: {answer.words}"
            if answer.meaning == "taken":
                remove(client, each.name, letter)
                sent += 1
            else:
                refused += 1
    typer.echo(f"{each.name}  {sent} delivered, {refused} refused again and kept")
    return ""


def _show_dead(each: Running) -> None:
    with RedisUrl(each.reading.address()).client() as client:
        for letter in dead_letters(client, each.name):
            event = letter.event
            what = f"{event.camera}  {event.kind}  {event.id}" if event else "not readable"
            typer.echo(f"{each.name}  {letter.entry}  {what}  {letter.words}")


def _quieten() -> None:
    """Httpx would log each address, of which a part may be a secret."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
