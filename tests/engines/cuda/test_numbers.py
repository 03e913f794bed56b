"""float16 by the kernels is NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.host_kernels import Host, built


@pytest.fixture(scope="module")
def host() -> Host:
    return built()


def test_each_half_becomes_its_float(host: Host) -> None:
    halves = np.arange(0, 1 << 16, 7).astype(np.uint16)
    found = np.array([host.float_of(int(each)) for each in halves], np.float32)
    assert np.array_equal(found, halves.view(np.float16).astype(np.float32), equal_nan=True)


def test_floats_are_rounded_to_the_nearest_half_and_ties_to_even(host: Host) -> None:
    rng = np.random.default_rng(3)
    exact = np.arange(0, 0x7C00, 37).astype(np.uint16).view(np.float16)
    steps = exact.astype(np.float32)
    between = (steps + np.nextafter(exact, np.float16(np.inf)).astype(np.float32)) / 2
    odd = np.array([0, 65504, 65519.9, 65520, 1e9, 2**-24, 2**-25, 2**-26, np.inf], np.float32)
    spread = np.float32(10) ** rng.uniform(-9, 6, 2000).astype(np.float32)
    values = np.concatenate([steps, between[:-1], odd, spread])
    values = np.concatenate([values, -values])
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16).view(np.uint16)
    assert [host.half_of(float(each)) for each in values] == expected.tolist()
    assert np.isnan(np.uint16(host.half_of(float("nan"))).view(np.float16))
