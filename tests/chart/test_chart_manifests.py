"""The chart, rendered by Helm's own engine for each example: what Kubernetes would make of it, and
whether everything that an object names is there. No cluster has run it in these tests.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry, Resource

from tests.support import ROOT
from tests.support.chart import (
    EXAMPLES,
    NAMESPACE,
    Document,
    Pod,
    Rendered,
    needs,
    render,
    secrets_of,
)

pytestmark = pytest.mark.slow

CASES = ("default", *EXAMPLES)
VERSIONS = (
    "1.27",
    "1.37",
)  # the oldest that Chart.yaml takes, the newest that there are schemas of
MORE: Document = {"workers": {"replicas": 3}}
OTHER: Document = {"config": {"log": {"level": "debug"}}}
CUSTOM = yaml.safe_load(Path(__file__).with_name("custom_resources.yaml").read_text())
WORKLOADS = {"Deployment", "StatefulSet", "RayCluster"}


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    values = {name: yaml.safe_load(path.read_text()) for name, path in EXAMPLES.items()}
    rendered = render({"default": {}, "more": MORE, "other": OTHER} | values)
    return rendered | {"values": {"default": {}} | values}


@pytest.fixture(scope="module")
def charts(answers: dict[str, Any]) -> dict[str, Rendered]:
    refused = {case: answers[case]["refused"] for case in CASES if "refused" in answers[case]}
    assert refused == {}
    return {case: Rendered.of(answers["values"][case], answers[case]["rendered"]) for case in CASES}


@pytest.fixture(params=CASES)
def chart(request: pytest.FixtureRequest, charts: dict[str, Rendered]) -> Rendered:
    return charts[request.param]


def test_helm_finds_nothing_to_say(answers: dict[str, Any]) -> None:
    said = answers[""]
    assert said["errors"] == []
    assert [each["error"] for each in said["messages"] if each["severity"] > 1] == []


@cache
def schemas(version: str) -> tuple[Path, Registry[Any]]:
    """The folder of Kubernetes' schemas of a version, and the registry of what they refer to."""
    spec = find_spec("kubernetes_validate")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / f"kubernetes-json-schema/v{version}.0-local-strict"
    definitions = Resource.from_contents(json.loads((folder / "_definitions.json").read_text()))
    return folder, Registry().with_resource(
        "https://kubernetes.io/api/_definitions.json", definitions
    )


@cache
def validator(version: str, kind: str, api: str) -> Draft202012Validator:
    folder, registry = schemas(version)
    group, _, name = api.rpartition("/")
    prefix = f"{group.partition('.')[0]}-" if group else ""
    schema = json.loads((folder / f"{kind.lower()}-{prefix}{name}.json").read_text())
    return Draft202012Validator(schema, registry=registry)


def mistakes(document: Document, version: str) -> list[str]:
    """What Kubernetes, or the definition of a custom resource, would not take of an object."""
    kind = document["kind"]
    if kind in CUSTOM:
        checks = Draft7Validator(CUSTOM[kind])
        inner = Rendered({}, [document]).pods
    else:
        checks, inner = validator(version, kind, document["apiVersion"]), []
    found = [f"{kind} {error.json_path}: {error.message}" for error in checks.iter_errors(document)]
    template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {}}
    for pod in inner:
        found += mistakes(template | {"template": pod.template}, version)
    return found


def redis_example() -> list[Document]:
    text = (ROOT / "deploy/helm/examples/redis.yaml").read_text()
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_schemas_take_every_object(charts: dict[str, Rendered], version: str) -> None:
    needs("kubernetes_validate", "kubernetes-validate, Kubernetes' schemas,")
    objects = {
        json.dumps(document, sort_keys=True): document
        for documents in [*(chart.documents for chart in charts.values()), redis_example()]
        for document in documents
    }
    assert len(objects) > 30
    assert [line for document in objects.values() for line in mistakes(document, version)] == []


def test_mistakes_are_found(charts: dict[str, Rendered]) -> None:
    needs("kubernetes_validate", "kubernetes-validate, Kubernetes' schemas,")
    for case, kind in [
        ("default", "StatefulSet"),
        ("ray", "RayCluster"),
        ("scaling", "ScaledObject"),
    ]:
        (document, *_) = charts[case].all(kind)
        assert mistakes(document, VERSIONS[-1]) == []
        wrong = document | {"spec": document["spec"] | {"replicsa": 2}}
        assert ["replicsa" in line for line in mistakes(wrong, VERSIONS[-1])] == [True]


def test_no_two_objects_have_one_name(chart: Rendered) -> None:
    names = Counter((each["kind"], each["metadata"]["name"]) for each in chart.documents)
    assert [name for name, count in names.items() if count > 1] == []
    assert all("namespace" not in each["metadata"] for each in chart.documents), "helm's -n says it"


def test_selectors_find_what_they_are_for(chart: Rendered) -> None:
    for document in chart.documents:
        spec = document.get("spec", {})
        if document["kind"] == "Service":
            (pod,) = chart.selected(spec["selector"])
            assert {port["targetPort"] for port in spec["ports"]} <= set(pod.ports)
        elif document["kind"] in {"StatefulSet", "Deployment"}:
            assert chart.selected(spec["selector"]["matchLabels"]) == chart_pods(chart, document)
        elif document["kind"] == "PodDisruptionBudget":
            selected = chart.selected(spec["selector"]["matchLabels"])
            assert [pod.owner["kind"] for pod in selected] in (["StatefulSet"], ["RayCluster"])
        elif document["kind"] == "NetworkPolicy":
            pods = chart.selected(spec["podSelector"]["matchLabels"])
            ports = {port["port"] for rule in spec["ingress"] for port in rule.get("ports", [])}
            assert pods
            assert all(ports <= set(pod.ports) for pod in pods)


def chart_pods(chart: Rendered, owner: Document) -> list[Pod]:
    return [pod for pod in chart.pods if pod.owner is owner]


def test_every_pod_has_a_policy_where_there_are_any(chart: Rendered) -> None:
    policies = chart.all("NetworkPolicy")
    if not chart.values.get("networkPolicy", {}).get("enabled", True):
        assert policies == []
        return
    for pod in chart.pods:
        matching = [
            policy
            for policy in policies
            if policy["spec"]["podSelector"]["matchLabels"].items() <= pod.labels.items()
        ]
        assert len(matching) == 1, pod.part
        assert matching[0]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_what_is_named_by_name_is_there(chart: Rendered) -> None:
    services = chart.named("Service")
    for workload in chart.all("StatefulSet"):
        assert services[workload["spec"]["serviceName"]]["spec"]["clusterIP"] == "None"
    for ingress in chart.all("Ingress"):
        (rule,) = ingress["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        backend = path["backend"]["service"]
        named = {port["name"] for port in services[backend["name"]]["spec"]["ports"]}
        assert backend["port"]["name"] in named
    for monitor in chart.all("ServiceMonitor"):
        labels = monitor["spec"]["selector"]["matchLabels"]
        (service,) = [
            each
            for each in services.values()
            if labels.items() <= each["metadata"]["labels"].items()
        ]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    for scaled in chart.all("ScaledObject"):
        target = scaled["spec"]["scaleTargetRef"]
        workload = chart.named(target["kind"])[target["name"]]
        assert workload["apiVersion"] == target["apiVersion"]
        assert "replicas" not in workload["spec"], "Helm and KEDA would undo each other's number"


def test_volumes_and_accounts_are_there(chart: Rendered) -> None:
    accounts, maps = chart.named("ServiceAccount"), chart.named("ConfigMap")
    claims = {*chart.named("PersistentVolumeClaim"), *claims_of(chart.values)}
    for pod in chart.pods:
        assert pod.spec["serviceAccountName"] in accounts
        templates = pod.owner["spec"].get("volumeClaimTemplates", [])
        volumes = [volume["name"] for volume in pod.spec["volumes"]]
        volumes += [template["metadata"]["name"] for template in templates]
        mounts = {mount["name"] for each in pod.containers for mount in each["volumeMounts"]}
        assert sorted(volumes) == sorted(mounts), "each is mounted, none twice"
        for volume in pod.spec["volumes"]:
            assert "configMap" not in volume or volume["configMap"]["name"] in maps
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or claim["claimName"] in claims


def claims_of(values: Document) -> set[str]:
    bridges = values.get("bridges", {}).values()
    return {bridge["existingClaim"] for bridge in bridges if "existingClaim" in bridge}


def named_secrets(value: object, key: str = "") -> set[str]:
    """Names of Secrets in values."""
    if isinstance(value, dict):
        if key == "existingSecret":
            return {value["name"]}
        return {name for key, inner in value.items() for name in named_secrets(inner, key)}
    if isinstance(value, list):
        return set(value) if key in {"envFromSecrets", "pullSecrets"} else set()
    return {str(value)} if key in {"existingSecret", "tlsSecret"} else set()


def test_secrets_are_those_of_the_values_and_none_is_made(chart: Rendered) -> None:
    assert chart.all("Secret") == []
    used = {name for name, _ in secrets_of([pod.spec for pod in chart.pods])}
    used |= {name for name, _ in secrets_of([each["spec"] for each in chart.all("RayCluster")])}
    for ingress in chart.all("Ingress"):
        used |= {entry["secretName"] for entry in ingress["spec"].get("tls", [])}
    for monitor in chart.all("ServiceMonitor"):
        for endpoint in monitor["spec"]["endpoints"]:
            if "authorization" in endpoint:
                used.add(endpoint["authorization"]["credentials"]["name"])
    assert used == named_secrets(chart.values)


def test_no_variable_holds_a_secret(chart: Rendered) -> None:
    for pod in chart.pods:
        for container in pod.containers:
            for variable in container.get("env", []):
                if any(word in variable["name"] for word in ("PASSWORD", "TOKEN", "SECRET", "KEY")):
                    is_file = variable.get("value", "").startswith("/run/secrets/")
                    assert is_file or "secretKeyRef" in variable.get("valueFrom", {})


def test_pods_run_as_the_image_does(chart: Rendered) -> None:
    user, group = _user()
    for pod in chart.pods:
        spec = pod.spec
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": group,
            "fsGroup": group,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]) == {"requests", "limits"}
            assert "memory" in container["resources"]["limits"]


def _user() -> tuple[int, int]:
    image = (ROOT / "Dockerfile").read_text()
    (user,) = {line for line in image.splitlines() if line.startswith("USER ")}
    first, second = user.removeprefix("USER ").split(":")
    return int(first), int(second)


def test_a_node_that_is_gone_is_left_in_five_seconds(chart: Rendered) -> None:
    for pod in chart.pods:
        seconds = {
            each["key"].rpartition("/")[2]: each["tolerationSeconds"]
            for each in pod.spec["tolerations"]
            if each.get("effect") == "NoExecute"
        }
        assert seconds == {"not-ready": 5, "unreachable": 5}


def test_images_are_those_that_are_baked(chart: Rendered) -> None:
    text = (ROOT / "docker-bake.hcl").read_text()
    baked = set(re.findall(r'^target "(\w+)" \{$', text, re.M))
    image = chart.values.get("image", {})
    repository, tag = image.get("repository", "mirante"), image.get("tag", "0.1.0")
    for pod in chart.pods:
        for container in pod.containers:
            place, _, found = container["image"].rpartition(":")
            assert place == repository
            assert found.startswith(tag)
            target = found.removeprefix(tag).removeprefix("-") or "cpu"
            assert target in baked
            assert target == wanted_image(chart, pod)


def wanted_image(chart: Rendered, pod: Pod) -> str:
    if pod.part.startswith("bridge-"):
        return "bridges"
    if pod.owner["kind"] == "RayCluster":
        return "fleet"
    gpus = chart.values.get("workers", {}).get("gpu", {}).get("count", 0)
    return "tensorrt" if pod.part == "worker" and gpus else "cpu"


def test_a_further_worker_restarts_none_of_those_that_run(answers: dict[str, Any]) -> None:
    templates = {}
    for case in ("default", "more", "other"):
        rendered = Rendered.of({}, answers[case]["rendered"])
        (workers,) = rendered.selected({"app.kubernetes.io/component": "worker"})
        templates[case] = workers.template
    assert templates["more"] == templates["default"]
    assert templates["other"] != templates["default"], "their files say something else"


def test_a_worker_at_a_time_may_be_evicted(charts: dict[str, Rendered]) -> None:
    """A RayCluster has no scale, without which ``maxUnavailable`` lets no pod go."""
    for case, wanted in [("default", {"maxUnavailable": 1}), ("ray", {"minAvailable": 2})]:
        (budget,) = charts[case].all("PodDisruptionBudget")
        amounts = {key: n for key, n in budget["spec"].items() if key.endswith("vailable")}
        assert amounts == wanted


def test_gpus_are_asked_for_by_name(charts: dict[str, Rendered]) -> None:
    (workers,) = charts["gpu"].selected({"app.kubernetes.io/component": "worker"})
    (container,) = workers.spec["containers"]
    assert container["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == 1
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "4Gi"}
    assert workers.spec["runtimeClassName"] == "nvidia"
    (without,) = charts["default"].selected({"app.kubernetes.io/component": "worker"})
    assert "nvidia" not in json.dumps(without.template)


def test_notes_name_what_is_there(answers: dict[str, Any], charts: dict[str, Rendered]) -> None:
    for case in CASES:
        notes = answers[case]["rendered"]["mirante/templates/NOTES.txt"]
        assert f"-n {NAMESPACE}" in notes
        for word in notes.replace("`", " ").split():
            kind, _, name = word.partition("/")
            kinds = {"svc": "Service", "deploy": "Deployment", "statefulset": "StatefulSet"}
            if kind in kinds and name:
                assert name in charts[case].named(kinds[kind]), word
