"""The chart of deploy/helm, rendered by Helm's own engine, and where what it names is found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import ROOT

HELM = ROOT / "deploy" / "helm"
CHART = HELM / "mirante"
EXAMPLES = {
    path.stem.removeprefix("values-"): path
    for path in sorted((HELM / "examples").glob("values-*.yaml"))
}
NAMESPACE = "video"
Document = dict[str, Any]


def needs(module: str, package: str) -> None:
    """Skip the test, saying why, where a module is not installed."""
    if find_spec(module) is None:
        pytest.skip(f"no {package} here: ./run test installs it where it can be had")


def render(cases: Mapping[str, Document]) -> dict[str, Any]:
    """Return what Helm makes of the chart with each of these values, as chart_renderer.py says."""
    needs("helm_python", "helm-python-sdk, Helm's engine,")
    program = Path(__file__).with_name("chart_renderer.py")
    asked = json.dumps({"chart": str(CHART), "cases": cases})
    done = subprocess.run(
        [sys.executable, program], input=asked, stdout=subprocess.PIPE, text=True, check=True
    )
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


@dataclass(frozen=True)
class Pod:
    """A template of pods, and what makes them."""

    owner: Document
    template: Document

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.template["metadata"]["labels"])

    @property
    def spec(self) -> Document:
        return dict(self.template["spec"])

    @property
    def containers(self) -> list[Document]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """Numbers of the ports that its containers name."""
        return {
            port["name"]: port["containerPort"]
            for container in self.containers
            for port in container.get("ports", [])
        }

    @property
    def part(self) -> str:
        return self.labels["app.kubernetes.io/component"]


@dataclass(frozen=True)
class Rendered:
    """What Helm made of some values."""

    values: Document
    documents: list[Document]

    @classmethod
    def of(cls, values: Document, files: Mapping[str, str]) -> Rendered:
        """Return the objects in files, which Helm gives by their paths; notes are none."""
        documents = [
            document
            for path, text in files.items()
            if path.endswith(".yaml")
            for document in yaml.load_all(text, yaml.CSafeLoader)
            if document is not None
        ]
        return cls(values, documents)

    def all(self, kind: str) -> list[Document]:
        """Return the objects of a kind."""
        return [document for document in self.documents if document["kind"] == kind]

    def named(self, kind: str) -> dict[str, Document]:
        """Return the objects of a kind by name."""
        return {document["metadata"]["name"]: document for document in self.all(kind)}

    @cached_property
    def pods(self) -> list[Pod]:
        """Every template of pods."""
        return [pod for document in self.documents for pod in _pods(document)]

    def selected(self, selector: Mapping[str, str]) -> list[Pod]:
        """Return the pods that have these labels."""
        return [pod for pod in self.pods if selector.items() <= pod.labels.items()]


def _pods(document: Document) -> Iterator[Pod]:
    if document["kind"] in {"Deployment", "StatefulSet", "Job"}:
        yield Pod(document, document["spec"]["template"])
    elif document["kind"] == "RayCluster":
        groups = [document["spec"]["headGroupSpec"], *document["spec"]["workerGroupSpecs"]]
        yield from (Pod(document, group["template"]) for group in groups)


def secrets_of(value: object) -> Iterator[tuple[str, str | None]]:
    """Yield each Secret that is named anywhere in a pod, with the key, None for all of them."""
    if isinstance(value, list):
        for inner in value:
            yield from secrets_of(inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "secretKeyRef":
                yield inner["name"], inner["key"]
            elif key == "secretRef":
                yield inner["name"], None
            elif key == "secret":
                name = inner.get("secretName") or inner["name"]
                items = inner.get("items")
                yield from ((name, item["key"]) for item in items) if items else [(name, None)]
            elif key == "imagePullSecrets":
                yield from ((each["name"], None) for each in inner)
            else:
                yield from secrets_of(inner)
