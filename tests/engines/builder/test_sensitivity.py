"""Layers that lose most by fewer bits are found by measuring, and stay as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from engines.builder import prepare as preparing
from engines.builder.build import build
from engines.builder.gate import judge
from engines.builder.graphs import clone, gap, run
from engines.builder.parity import ParityError
from engines.builder.quantise import to_int8
from engines.builder.quantise_fp8 import to_fp8
from engines.builder.sensitivity import Quantised
from tests.support.built_engines import ask, faces, save_pictures, store

__all__ = ["store"]

# The first of what "odd" reads is near 5 everywhere: its weight of 127 makes of what little it
# varies the first of what "odd" gives, and a bias takes the rest away.
NETWORK = """
<ir_version: 9, opset_import: ["" : 19]>
net (float[1,3,8,8] x) => (float[1,32,8,8] y) {
    [first] a = Conv (x, w_first)
    [good] b = Conv (a, w_good, b_good)
    [odd] c = Conv (b, w_odd, b_odd)
    [fine] d = Conv (c, w_fine)
    [last] y = Conv (d, w_last)
}"""
QUANTISE = pytest.mark.parametrize("quantise", [to_int8, to_fp8])


def network() -> Any:
    random, model = np.random.default_rng(1), parser.parse_model(NETWORK)
    arrays = {
        f"w_{name}": random.normal(size=(32, 3 if name == "first" else 32, 1, 1)) / 6
        for name in ("first", "good", "odd", "fine", "last")
    } | {"b_good": np.zeros(32), "b_odd": np.zeros(32)}
    arrays["w_good"][0] *= 0.02
    arrays["b_good"][0] = 5.0
    arrays["w_odd"][0], arrays["w_odd"][:, 0] = 0.0, 0.0
    arrays["w_odd"][0, 0], arrays["b_odd"][0] = 127.0, -635.0
    model.graph.initializer.extend(
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in arrays.items()
    )
    return model


def fed() -> list[dict[str, Any]]:
    random = np.random.default_rng(2)
    return [{"x": random.random((1, 3, 8, 8), np.float32)} for _ in range(3)]


@QUANTISE
def test_a_layer_that_rounding_drowns_is_found_and_stays(quantise: Callable[..., Any]) -> None:
    model = network()
    quantised = Quantised(model, quantise(model, fed()))
    heard = quantised.signal_to_noise(fed())
    assert heard.keys() == {"good", "odd", "fine"}
    assert heard["odd"] < 15
    assert min(heard["good"], heard["fine"]) > 20
    gentler = quantised.without({"odd"})
    (odd,) = (node for node in gentler.graph.node if node.name == "odd")
    assert list(odd.input) == ["b", "w_odd", "b_odd"]
    names = {tensor.name for tensor in gentler.graph.initializer}
    read = {name for node in gentler.graph.node for name in node.input}
    assert names <= read  # nothing is carried along
    expected, few, fewer = (
        run(each, fed()[0])["y"] for each in (model, gentler, quantised.without(()))
    )
    assert gap(expected, few) < 0.1
    assert gap(expected, fewer) > 3 * gap(expected, few)
    onnx.checker.check_model(gentler, full_check=True)


@QUANTISE
def test_it_measures_each_layer_by_itself(quantise: Callable[..., Any]) -> None:
    """What an earlier layer loses is not its own loss."""
    model = network()
    heard = Quantised(model, quantise(model, fed())).signal_to_noise(fed())
    assert heard["fine"] > 20  # right behind the one that loses all


@QUANTISE
def test_what_a_branch_reads_is_kept(quantise: Callable[..., Any]) -> None:
    """And the shape of an output need not be known."""
    model = network()
    model.graph.node[-1].output[0] = "z"
    model.graph.initializer.append(numpy_helper.from_array(np.array(2, np.float32), "two"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    inner = helper.make_node("Mul", ["z", "two"], ["double"])
    double = helper.make_tensor_value_info("double", TensorProto.FLOAT, None)
    branch = helper.make_graph([inner], "branch", [], [double])
    ways = {"then_branch": branch, "else_branch": branch}
    model.graph.node.append(helper.make_node("If", ["yes"], ["y"], "if", **ways))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    made = Quantised(model, quantise(model, fed())).without(())
    assert gap(run(model, fed()[0])["y"], run(made, fed()[0])["y"]) < 1


def test_a_layer_that_overflows_loses_all() -> None:
    model = network()
    heard = Quantised(model, to_int8(model, fed())).signal_to_noise(
        [{"x": np.full((1, 3, 8, 8), np.inf, np.float32)}]
    )
    assert heard == dict.fromkeys(("good", "odd", "fine"), float("-inf"))


@pytest.mark.slow
def test_more_layers_stay_where_the_gate_refuses_and_it_ends(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = save_pictures(store / "few.npz", faces()[:2])
    request = ask("face", precision="int8", frames=pictures, calibrate=pictures)
    monkeypatch.setattr(preparing, "LEAST_DB", (-100.0, 30.0, 35.0))
    made: list[Any] = []
    tried: list[str] = []
    refused = 3

    def once(*asked: Any) -> Any:
        """Both builds are of the same graph and images."""
        if not made:
            made.append(to_int8(*asked))
        return clone(made[0])

    def strict(pair: Any, precision: Any, of: str, *rest: Any) -> Any:
        tried.append(of)
        if len(tried) <= refused:
            raise ParityError("it finds something else")
        return judge(pair, precision, of, *rest)

    monkeypatch.setattr("engines.builder.build.judge", strict)
    monkeypatch.setattr(preparing, "to_int8", once)
    with pytest.raises(ParityError, match=r"something else; \d+ of \d+ layers stay float32, as"):
        build(request)
    assert len(tried) == 3  # as many as there are choices: a bound
    tried.clear()
    refused = 1
    engine = build(request)
    assert len(tried) == 3  # its second graph passes, and the engine made of it
    assert "layers stay float32, as they lose most" in engine.about["notes"][0]
    kinds = {node.op_type for node in onnx.load(engine.file).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} < kinds
    report = engine.about["parity"]["engine"]
    assert report["passed"]
    assert any(0 < abs(1 - figure) < 1 for figure in report["figures"].values())
