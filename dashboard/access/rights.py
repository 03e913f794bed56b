"""The right that each route declares, as a dependency; a route without one is not served.

A camera in a route's path exists for those whose rights reach it, and for nobody else: others are
answered as if it had never been there, whether it is or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Mount

from dashboard.access.guard import ONLY_LOOKS, asking, needed
from dashboard.access.identity import Identity
from pipeline.config.dashboard import Role
from pipeline.control.registry import no_camera

MAY: dict[Role, frozenset[Role]] = {
    "viewer": frozenset({"viewer"}),
    "operator": frozenset({"viewer", "operator"}),
    "admin": frozenset({"viewer", "operator", "admin"}),
}
"""By role, the roles whose work somebody of that role may do."""
CAMERA_PARAMETERS = frozenset({"name", "camera"})
"""The path parameters that name a camera; no route may use them for anything else."""
OF_A_CAMERA = frozenset({"clip", "entry"})
"""The path parameters that name something of the camera that the path names before them."""
REFUSED: dict[Role, str] = {
    "viewer": ONLY_LOOKS,
    "operator": "an operator may pause and test cameras, change zones and swap models, no more; "
    "ask an admin",
}
"""By role, what somebody of that role is told who asks for more."""
NEEDS_ALL = "this changes every camera; it takes rights to all cameras, not to some"


class UndeclaredError(RuntimeError):
    """A route does not declare who may call it."""


@dataclass(frozen=True)
class Right:
    """A dependency that lets those pass who may call a route, and gives who they are.

    Attributes:
        role: the lowest that may.
        of_all: only those for whom every camera exists.
    """

    role: Role
    of_all: bool = False

    async def __call__(self, connection: HTTPConnection) -> Identity:
        """Return who asks.

        Raises:
            HTTPException: 401 where nobody has said who asks, 403 where they may not, 404 where the
                camera in the path does not exist for them.
        """
        who = needed(asking(connection))
        if self.role not in MAY[who.role]:
            raise HTTPException(403, REFUSED[who.role])
        if self.of_all and not who.sees_all:
            raise HTTPException(403, NEEDS_ALL)
        for parameter in CAMERA_PARAMETERS & connection.path_params.keys():
            name = connection.path_params[parameter]
            if not who.sees(name):
                raise HTTPException(404, no_camera(name, _existing(connection, who)))
        return who


async def anyone() -> None:
    """Declare that a route answers without a login; ``guard.OPEN_PATHS`` lets it through."""


Viewer = Annotated[Identity, Depends(Right("viewer"))]
Operator = Annotated[Identity, Depends(Right("operator"))]
OperatorOfAll = Annotated[Identity, Depends(Right("operator", of_all=True))]
Admin = Annotated[Identity, Depends(Right("admin"))]
ANYONE = Depends(anyone)


def declared(route: Any) -> Right | None:
    """Return the right that a route declares; None where anyone may call it.

    Raises:
        UndeclaredError: it declares none, several, or takes a parameter that no right looks at.
    """
    found = [call for call in _calls(route.dependant) if isinstance(call, Right) or call is anyone]
    if len(found) != 1:
        raise UndeclaredError(
            f"{route.path}: expected one right (dashboard.access.rights), got {len(found)}"
        )
    named = set(route.param_convertors)
    if strange := named - CAMERA_PARAMETERS - (OF_A_CAMERA if named & CAMERA_PARAMETERS else set()):
        raise UndeclaredError(
            f"{route.path}: expected a camera's name in the path, which rights are held for, got "
            f"{', '.join(sorted(strange))}"
        )
    return found[0] if isinstance(found[0], Right) else None


def check_declared(routes: Sequence[BaseRoute], plain: frozenset[str]) -> None:
    """Check that every route of an application declares a right.

    Args:
        routes: of the application.
        plain: paths that hold no camera: files, and the document of the API.

    Raises:
        UndeclaredError: one does not.
    """
    for context in iter_route_contexts(routes):
        route = context.original_route
        if isinstance(route, Mount) or not hasattr(route, "dependant"):
            if context.path not in plain:
                raise UndeclaredError(f"{context.path}: a route that can declare no right")
        else:
            declared(context)


def _calls(dependant: Dependant) -> Iterator[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)


def _existing(connection: HTTPConnection, who: Identity) -> list[str]:
    return who.seen(each["name"] for each in connection.app.state.services.sampler.cameras())
