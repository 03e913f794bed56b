"""The OpenAPI document, completed with what FastAPI cannot know: who may ask, and all refusals."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from dashboard.access import AccessError
from dashboard.access.guard import COOKIE, OPEN_PATHS, TOO_LARGE

_METHODS = ("get", "put", "post", "patch", "delete")
_EVERYBODY = {
    "400": "the request is none that HTTP has, or names no host",
    "401": "the token that is sent is not known; or log in, or send one",
    "403": "not for whoever asks: a rule of access, or another site's page",
    "421": "the host is not a name of this dashboard",
    "429": "too many wrong tokens from this address",
}
_WITH_RIGHTS = {"503": "Redis is away, or the accounts cannot be read"}
_WITH_BODY = {"413": TOO_LARGE, "422": "a wrong key or value"}
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "of `mirante dashboard token`"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "of a login"},
}


class Documented(FastAPI):
    """An application whose document says what its middleware answers too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._made: dict[bool, dict[str, Any]] = {}  # by whether nobody needs to log in

    def openapi(self) -> dict[str, Any]:
        """Return the document; without a login it says that none is needed. Nobody changes it."""
        try:
            is_open = bool(self.state.services.access.is_open())
        except AccessError:
            is_open = False
        if is_open not in self._made:
            self._made[is_open] = completed(deepcopy(super().openapi()), is_open=is_open)
        return self._made[is_open]


def completed(document: dict[str, Any], *, is_open: bool) -> dict[str, Any]:
    """Return a document of FastAPI with the refusals and methods of all routes.

    Args:
        document: changed in place.
        is_open: nobody needs to log in.
    """
    for path, item in document["paths"].items():
        for method in [each for each in _METHODS if each in item]:
            _complete(item[method], path, is_open=is_open)
        if "get" in item:
            item["head"] = _head(item["get"])
    parts = document["components"]
    for ours in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(ours, None)
    parts["securitySchemes"] = _SCHEMES
    whole: dict[str, Any] = _plain(document)
    return whole


def _complete(operation: dict[str, Any], path: str, *, is_open: bool) -> None:
    refusals = dict(_EVERYBODY)
    needs_rights = path not in OPEN_PATHS
    refusals |= _WITH_RIGHTS if needs_rights else {}
    refusals |= _WITH_BODY if "requestBody" in operation else {}
    schema = {"$ref": "#/components/schemas/Refused"}
    responses = operation["responses"]
    if "422" in responses:  # FastAPI's own bodies are not those that are answered
        responses["422"]["content"] = {"application/json": {"schema": schema}}
    for status, words in refusals.items():
        said = responses.setdefault(status, {"description": words})
        said.setdefault("content", {"application/json": {"schema": schema}})
        said["description"] = said.get("description") or words
    operation["responses"] = dict(sorted(responses.items()))
    needed: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
    operation["security"] = [*([{}] if is_open else []), *needed] if needs_rights else []


def _head(get: dict[str, Any]) -> dict[str, Any]:
    """The same as GET, without content."""
    answers = {
        status: {key: value for key, value in answer.items() if key != "content"}
        for status, answer in get["responses"].items()
    }
    return get | {
        "operationId": f"head_{get['operationId']}",
        "summary": f"{get['summary']}: the head",
        "description": "The same as GET, without content.",
        "responses": answers,
    }


def _plain(node: Any) -> Any:
    """With ``items`` in the place of ``prefixItems``, which many readers of OpenAPI do not know; a
    tuple of unlike items is then one of any of them.
    """
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    rest = {key: _plain(value) for key, value in node.items()}
    if (listed := rest.pop("prefixItems", None)) is not None:
        unlike = [each for i, each in enumerate(listed) if each not in listed[:i]]
        rest["items"] = unlike[0] if len(unlike) == 1 else {"anyOf": unlike}
    return rest
