"""Every route of an application, found by walking them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount, WebSocketRoute

CLIP = "20261129-041503-250"
ENTRY = "1763899667123-41"


class Route(NamedTuple):
    """A route under one of its methods.

    Attributes:
        method: ``WEBSOCKET`` for one.
        path: with its parameters in braces.
        route: as FastAPI has it.
    """

    method: str
    path: str
    route: Any

    @property
    def is_of_camera(self) -> bool:
        """Whether its path names a camera."""
        return "{" in self.path

    def of(self, camera: str) -> str:
        """Return its path, of a camera, and of a clip or entry where it names one."""
        path = self.path.replace("{clip}", CLIP).replace("{entry}", ENTRY)
        return re.sub(r"{[^}]*}", camera, path)


def walk(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    """Yield every route but the folder of files."""
    for route in iter_route_contexts(routes):
        path = route.path or ""
        if isinstance(route.original_route, Mount):
            assert path == "/static"
        elif isinstance(route.original_route, WebSocketRoute):
            yield Route("WEBSOCKET", path, route)
        else:
            assert route.methods, route
            for method in route.methods:
                yield Route(method, path, route)
