"""``/api/v1/cameras``: which cameras are wanted, and how they are doing."""

from __future__ import annotations

import base64
import threading
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, HTTPException
from pydantic import AfterValidator

from dashboard.access.rights import Admin, Operator, Viewer
from dashboard.access.sight import without_others
from dashboard.api import (
    camera_past,
    counts,
    events,
    shapes,
    snapshot,
    wake,
    zone_proposal,
    zones,
)
from dashboard.api.bodies import JsonRoute, with_integers
from dashboard.api.camera_keys import NAME, NEEDS, WORKER, body_of, check, take_name, take_needs
from dashboard.api.seen import Seen
from dashboard.api.shapes import CameraName, refusals
from dashboard.api.targets import check_targets
from dashboard.api.trial_shape import Trial as TrialShape
from dashboard.services import FromApp, Services
from mirante.faults import FaultCode, advice_on
from pipeline.config.camera import Camera
from pipeline.config.camera_url import ADDRESSES, redact
from pipeline.config.messages import ConfigError
from pipeline.control.changing import RegistryError
from pipeline.control.entries import Desired, Needs
from pipeline.control.fleet_room import FleetFullError, check_fleet
from pipeline.control.lease import MAIN, holders, not_running, usual
from pipeline.control.rpc import RefusedError
from pipeline.control.spec import checked, redacted
from pipeline.control.trials import Trial, ask_trial, failed

TRIALS_AT_ONCE = 4
ONLY_AS_IT_IS = (
    'an operator may try a camera as it is: expected {"name": …} and nothing else; ask an admin'
)

router = APIRouter(prefix="/api/v1/cameras", tags=["cameras"], route_class=JsonRoute)
router.include_router(camera_past.router)
router.include_router(snapshot.router)
router.include_router(wake.router)
router.include_router(zones.router)
router.include_router(zone_proposal.router)
router.include_router(events.of_camera)
router.include_router(counts.router)

Keys = Annotated[dict[str, Any], Body(), AfterValidator(with_integers)]
Description = dict[str, Any]
_trials = threading.BoundedSemaphore(TRIALS_AT_ONCE)
_STREET = {"url": "test://?size=640x360&fps=10", "stages": [{"model": "test-boxes"}], "fps": 10}


@router.get(
    "",
    summary="All cameras",
    response_model=list[shapes.Camera],
    responses=refusals(503),
)
def list_cameras(services: FromApp, who: Viewer) -> list[Description]:
    """Every camera that is configured and that your rights reach, of every worker, by name."""
    seen = Seen(services, who)
    return [seen.describe(each) for each in seen.wanted().values()]


@router.post(
    "",
    summary="Add a camera",
    status_code=201,
    response_model=shapes.Camera,
    responses=refusals(403, 409, 422, 503, 507),
    openapi_extra=body_of(
        {"name": "gate", **_STREET},
        beside={"name": NAME, "worker": WORKER, "needs": NEEDS},
        required=("name", "url"),
    ),
)
def add_camera(services: FromApp, who: Admin, body: Keys) -> Description:
    """Its worker starts it within a second: ``worker``, else the only one that runs, else main. A
    password in the address is kept in a file on the
    dashboard's machine, or sealed with the fleet's key, and never plain in Redis; ``${NAME}``
    stays, for the worker to look up. With ``needs`` the fleet gives it to a worker that offers
    them; a full fleet refuses it. Whose rights reach some cameras may add those whose names match,
    with addresses that hold no ``${NAME}``.
    """
    keys, seen = dict(body), Seen(services, who)
    name = take_name(keys, "name")
    seen.check_name(name)
    needs = take_needs(keys)
    known = services.registry().cameras().values()
    worker = take_name(keys, "worker", usual(holders(services.redis, MAIN), known))
    _check(seen, name, keys, None, worker)
    if needs is not None:
        _check_fleet(seen, name, needs)
    services.registry(worker).add(name, keys, needs)
    return _changed(seen, name)


@router.post(
    "/test",
    summary="Try a camera without adding it",
    response_model=TrialShape,
    responses=refusals(403, 404, 409, 422, 429, 502, 503, 504, 507),
    openapi_extra=body_of(_STREET, beside={"name": NAME, "worker": WORKER}, nullable=True),
)
def try_camera(services: FromApp, who: Operator, body: Keys) -> Description:
    """A worker connects, runs the stages on one frame and says what it saw, within 30 seconds.
    With the ``name`` of a camera and no ``url``, the camera's own address is tried. Without a
    ``worker`` it is the camera's own, else the only one that runs, else main. An operator may try a
    camera as it is, by its ``name`` and nothing else.
    """
    keys, seen = dict(body), Seen(services, who)
    before = _existing(seen, keys)
    name = take_name(keys, "name", "test")
    wanted = take_name(keys, "worker") if "worker" in keys else before and before.worker
    running = holders(services.redis, wanted or MAIN)
    worker = wanted or usual(running)
    spec = _to_try(name, keys, before)
    _check(seen, name, keys, before, worker)
    check_targets(services.settings, keys, before)
    if spec:
        checked(name, spec)
    local = services.settings.local_targets or "url" not in keys
    is_up = worker in running
    trial = _tried(services, name, spec, worker, local) if is_up else _untried(worker, running)
    facts = msgspec.to_builtins(trial, builtin_types=(bytes,))
    jpeg = facts.pop("jpeg")
    picture = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" if jpeg else None
    words, advice = redact(facts["words"]), advice_on(trial.code)
    told = {"words": words, "advice": advice, "warning": trial.warning, "picture": picture}
    return without_others(who, {**facts, **told})


@router.get(
    "/{name}",
    summary="One camera",
    response_model=shapes.Camera,
    responses=refusals(404, 503),
)
def get_camera(name: CameraName, services: FromApp, who: Viewer) -> Description:
    """Return its configuration and its current state."""
    seen = Seen(services, who)
    return seen.describe(seen.named(name))


@router.patch(
    "/{name}",
    summary="Change keys of a camera",
    response_model=shapes.Camera,
    responses=refusals(404, 409, 422, 503, 507),
    openapi_extra=body_of({"fps": 5, "width": 1280}, nullable=True),
)
def change_camera(name: CameraName, services: FromApp, who: Admin, body: Keys) -> Description:
    """Keys that are absent stay; null is the default. An address that is absent, or as it is
    shown, stays with its password. One of the configuration is changed there.
    """
    seen = Seen(services, who)
    before = seen.named(name)
    _check(seen, name, body, before, before.worker)
    services.registry().edit(name, body)
    return _changed(seen, name)


@router.put(
    "/{name}",
    summary="Replace a camera",
    response_model=shapes.Camera,
    responses=refusals(404, 409, 422, 503, 507),
    openapi_extra=body_of(_STREET, beside={"needs": NEEDS}, required=("url",)),
)
def replace_camera(name: CameraName, services: FromApp, who: Admin, body: Keys) -> Description:
    """All keys are as the body says, or their defaults. It stays with its worker, and paused; one
    of the fleet stays there, and needs what it did where the body says nothing of it.
    """
    keys, seen = dict(body), Seen(services, who)
    needs, before = take_needs(keys), seen.named(name)
    _check(seen, name, keys, before, before.worker, replaces=True)
    services.registry(before.worker).put(name, keys, needs)
    return _changed(seen, name)


@router.delete(
    "/{name}",
    summary="Remove a camera",
    response_model=shapes.Removed,
    responses=refusals(404, 503, 507),
)
def remove_camera(name: CameraName, services: FromApp, who: Admin) -> Description:
    """And its password, before it. What it published stays in Redis as long as results are kept."""
    Seen(services, who).named(name)
    removed = services.registry().remove(name)
    services.sampler.nudge()
    words = f'camera "{name}" removed'
    if removed.origin == "config":
        words += (
            f'; it is in the configuration of worker "{removed.worker}"; it will come back when '
            "that worker restarts"
        )
    return {"name": name, "words": words}


@router.post(
    "/{name}/pause",
    summary="Pause a camera",
    response_model=shapes.Camera,
    responses=refusals(404, 503),
)
def pause_camera(name: CameraName, services: FromApp, who: Operator) -> Description:
    """Keep the camera but stop it, also across restarts of its worker."""
    seen = Seen(services, who)
    seen.named(name)
    services.registry().pause(name)
    return _changed(seen, name)


@router.post(
    "/{name}/resume",
    summary="Let a paused camera run",
    response_model=shapes.Camera,
    responses=refusals(404, 503),
)
def resume_camera(name: CameraName, services: FromApp, who: Operator) -> Description:
    """Its worker starts it within a second."""
    seen = Seen(services, who)
    seen.named(name)
    services.registry().resume(name)
    return _changed(seen, name)


def _changed(seen: Seen, name: str) -> Description:
    seen.services.sampler.nudge()
    return seen.describe(seen.named(name))


def _check(
    seen: Seen,
    name: str,
    keys: Description,
    before: Desired | None,
    worker: str,
    replaces: bool = False,
) -> None:
    report = seen.services.sampler.reports().get(worker)
    check(name, keys, before, report, may_refer=seen.who.sees_all, replaces=replaces)
    if not seen.who.sees_all:  # who adds cameras of any name decides about the installation
        check_targets(seen.services.settings, keys, before)


def _check_fleet(seen: Seen, name: str, needs: Needs) -> None:
    try:
        check_fleet(seen.services.redis, needs)
    except FleetFullError as error:
        if seen.who.sees_all:
            raise
        raise RegistryError(f'the fleet has no room for camera "{name}"') from error  # no counts


def _existing(seen: Seen, keys: Description) -> Desired | None:
    """The camera to try, where it is one that exists.

    Raises:
        HTTPException: 403, an operator asks for more than a camera as it is; 404, there is none.
    """
    name, may_change = keys.get("name"), seen.who.role == "admin"
    if not may_change and keys.keys() != {"name"}:
        raise HTTPException(403, ONLY_AS_IT_IS)
    if not isinstance(name, str):
        return None
    return seen.wanted().get(name) if may_change and seen.who.sees(name) else seen.named(name)


def _tried(services: Services, name: str, spec: Description, worker: str, local: bool) -> Trial:
    if not _trials.acquire(blocking=False):
        raise HTTPException(429, f"{TRIALS_AT_ONCE} cameras are being tried; try again in a moment")
    try:
        client, credentials = services.redis, services.credentials
        return ask_trial(client, credentials, name, spec, worker, local=local)
    except RefusedError as error:
        raise HTTPException(502, f'worker "{worker}": {redact(str(error))}') from None
    finally:
        _trials.release()


def _untried(worker: str, running: list[str]) -> Trial:
    return failed(FaultCode.NO_WORKER, not_running(worker, running), 0.0)


def _to_try(name: str, keys: dict[str, Any], before: Desired | None) -> dict[str, Any]:
    """The keys of the camera to try: those of an existing one beneath; none for just that one."""
    own = dict(before.spec) if before else {}
    if before and before.origin == "config" and set(keys) - {"url"}:
        raise HTTPException(
            409,
            f'camera "{name}" is in the configuration of worker "{before.worker}"; it is tried as '
            "it is there, or under another name",
        )
    for key, address in redacted(own).items():
        if key in ADDRESSES and keys.get(key) == address:
            del keys[key]
    if before and not keys:
        return {}  # as its worker knows it
    if before and before.origin == "config":
        for key in ("view", "onvif", "onvif_url"):  # not tried; their passwords are not known here
            own.pop(key, None)
    spec = {
        key: value
        for key, value in (own | keys).items()
        if value is not None or key not in Camera.model_fields  # to be refused by its name
    }
    if "url" not in spec:
        words = "missing — expected an address, or the name of a camera that has one"
        raise ConfigError("camera", [f"{name}.url: {words}"])
    if before and before.origin == "config" and "url" not in keys and "***" in spec["url"]:
        raise HTTPException(
            409,
            f'camera "{name}" is in the configuration of worker "{before.worker}", which alone '
            "knows its password; give an address to try",
        )
    return spec
