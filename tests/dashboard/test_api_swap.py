"""Another model in the place of one, over HTTP: what the worker is asked, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.control.rpc import Requests
from tests.support.api_server import Bench
from tests.support.polled_requests import polled

SWAP = "/api/v1/models/swap"


@pytest.fixture
def asked(bench: Bench) -> Iterator[list[dict[str, Any]]]:
    """A worker that does what it is asked, but for a model that it does not run."""
    requests: list[dict[str, Any]] = []

    def swap(request: dict[str, Any]) -> bytes:
        requests.append(request)
        if request["model"] != "street":
            raise ValueError(f'no model "{request["model"]}" runs here')
        return b"model street, then another"

    with polled(Requests(bench.redis, "main", {"swap": swap})):
        bench.worker()
        bench.until(bench.services.sampler.reports)
        yield requests


def test_a_swap_and_the_way_back(bench: Bench, asked: list[dict[str, Any]]) -> None:
    for to in ("street", None):
        answer = bench.http.post(SWAP, json={"model": "street", "to": to})
        assert (answer.status_code, answer.json()) == (200, {"words": "model street, then another"})
    assert asked == [{"model": "street", "to": "street"}, {"model": "street", "to": None}]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (
            {"model": "street", "to": "/etc/x.yaml"},
            409,
            'to: "/etc/x.yaml" — expected one of street',
        ),
        ({"model": "street", "to": "stret"}, 409, 'did you mean "street"?'),
        ({"model": "street"}, 422, "to: missing"),
        ({"model": "x", "to": None}, 409, 'no model "x" runs here; the running model stays'),
        ({"model": "street", "to": None, "worker": "b"}, 409, 'worker "b" is not running'),
        ({"model": "street", "to": None, "worker": "../b"}, 422, "worker"),
    ],
)
def test_swaps_that_are_refused(
    bench: Bench, asked: list[dict[str, Any]], body: dict[str, Any], status: int, words: str
) -> None:
    answer = bench.http.post(SWAP, json=body)
    assert answer.status_code == status
    assert words in str(answer.json()["detail"])
    assert len(asked) == (body == {"model": "x", "to": None})
