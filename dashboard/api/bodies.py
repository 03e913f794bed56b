"""Bodies of requests: JSON that nothing behind a route stumbles over."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from mirante.nesting import LEVELS, check_nesting

_TOO_DEEP = f"expected lists and mappings up to {LEVELS} levels deep"


def with_integers(value: Any) -> Any:
    """Return JSON with numbers such as 5.0 as integers, which they are for JSON Schema."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: with_integers(each) for key, each in value.items()}
    return [with_integers(each) for each in value] if isinstance(value, list) else value


class JsonBody(BaseModel):
    """A body of keys that are all known, with JSON's types as they are."""

    model_config = ConfigDict(extra="forbid", strict=True)


class JsonRoute(APIRoute):
    """A route that refuses a body that is JSON for Python alone, nested too deep, or says a
    key twice.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler behind the check."""
        handle = super().get_route_handler()

        async def handle_checked(request: Request) -> Response:
            if words := _wrong(await request.body()):
                raise HTTPException(422, [f"body: {words}"])
            return await handle(request)

        return handle_checked


def _wrong(body: bytes) -> str:
    """Return what is wrong with JSON, in words; empty for what FastAPI itself can judge."""
    try:
        value = json.loads(
            body, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_each_once
        )
        check_nesting(value)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        return ""
    except RecursionError:
        return _TOO_DEEP
    except UnicodeEncodeError:
        return "expected characters, got half of a surrogate pair"
    except UnicodeDecodeError:
        return "expected JSON in UTF-8"
    except ValueError as error:
        return str(error)
    return ""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a mapping that says each key once: of two, one would go unheard."""
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"expected each key once, got {json.dumps(key)[:66]} twice")
        mapping[key] = value
    return mapping


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"expected JSON, which has no {name}")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"expected numbers up to 1.8e308, got {text[:20]}")
    return number
