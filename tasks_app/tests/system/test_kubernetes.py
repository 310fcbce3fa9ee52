"""The manifests of deploy/kubernetes: valid, and nothing in them that the product does not have."""

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from functools import cache
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from django.conf import settings
from django.urls import resolve

from tasks_app.circuits.backend import shipped
from tasks_app.queue.doorbell import queue_of
from tasks_app.tests.system.test_compose import COMPOSE, SERVICES
from tasks_app.tests.system.test_dockerfile import arguments
from tasks_app.tests.system.test_env_example import described
from testing import packages
from testing.pages import commands

ROOT = settings.BASE_DIR
OVERLAYS = ("small", "production")
VERSIONS = ("1.30", "1.37")  # of Kubernetes: the oldest that we think of, and the newest
OF_OTHERS = {"Cluster", "RabbitmqCluster", "ScaledObject", "TriggerAuthentication"}
SECRETS = {
    "quantum-tasks-api": {"SECRET_KEY", "DATABASE_URL", "RABBITMQ_URL"},
    "quantum-tasks-worker": {"SECRET_KEY", "DATABASE_URL", "RABBITMQ_URL"},
    "quantum-tasks-keda": {"RABBITMQ_URL"},
}
MIB = {"Mi": 1, "Gi": 1024}


@cache
def kubectl() -> str:
    """The program. Debian 12's own is of 2021 and knows neither components nor our patches."""
    try:
        program = packages.unpacked("kubectl", "kubectl")
    except packages.PackageError as error:
        pytest.skip(f"kubectl builds the manifests. {error}")
    said = subprocess.run([program, "version", "--client"], capture_output=True, check=False).stdout
    if b"Kustomize Version" not in said:
        pytest.skip("kubectl is too old: 1.25 or newer is needed.")
    return program


@cache
def built(overlay: str) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    command = [kubectl(), "kustomize", f"deploy/kubernetes/{overlay}"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> dict[str, dict[str, Any]]:
    """Resources by name."""
    found = [each for each in built(overlay) if each["kind"] in kinds]
    return {each["metadata"]["name"]: each for each in found}


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    """The pods' templates of everything that starts some."""
    return {
        name: each["spec"]["template"]
        for name, each in of_kind(overlay, "Deployment", "Job").items()
    }


def containers(overlay: str) -> dict[str, dict[str, Any]]:
    """All containers by their own name, but workers', who share one, by their Deployment's."""
    return {
        name if container["name"] == "worker" else container["name"]: container
        for name, pod in pods(overlay).items()
        for container in pod["spec"]["containers"]
    }


def ours(overlay: str) -> dict[str, dict[str, Any]]:
    return {name: c for name, c in containers(overlay).items() if "quantum-tasks" in c["image"]}


def workers(overlay: str) -> dict[str, dict[str, Any]]:
    return {name: c for name, c in containers(overlay).items() if c["name"] == "worker"}


def variables(container: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container.get("env", [])}


def mebibytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * MIB[unit]


def problems(resource: dict[str, Any], version: str) -> str | None:
    try:
        kubernetes_validate.validate(resource, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error.message)
    return None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_builds_and_is_valid(overlay: str, version: str) -> None:
    for resource in built(overlay):
        if resource["kind"] not in OF_OTHERS:
            assert problems(resource, version) is None, resource["metadata"]["name"]


def test_a_mistake_would_be_noticed() -> None:
    wrong = json.loads(json.dumps(of_kind("small", "Deployment")["quantum-tasks-api"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    assert "redinessProbe" in (problems(wrong, VERSIONS[-1]) or "")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_variable_exists_in_the_product(overlay: str) -> None:
    known = described().keys()
    for name, config in of_kind(overlay, "ConfigMap").items():
        if name.startswith("quantum-tasks-settings-"):
            assert config["data"].keys() <= known
    for container in ours(overlay).values():
        used = {
            word
            for value in variables(container).values()
            for word in re.findall(r"\$\((\w+)\)", value or "")
        }
        assert variables(container).keys() - used <= known
        assert used <= variables(container).keys(), "what is named stands before, in the same list"
    assert {key for keys in SECRETS.values() for key in keys} <= known


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_commands_are_those_of_the_compose_file(overlay: str) -> None:
    run = {name: container["args"] for name, container in ours(overlay).items()}
    assert run.pop("api") == SERVICES["api"]["command"] == json.loads(arguments("CMD")[0])
    assert run.pop("migrate") == SERVICES["migrate"]["command"]
    assert run
    assert all(command == SERVICES["worker"]["command"] for command in run.values())
    assert not any("command" in container for container in ours(overlay).values())  # tini


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_ports_are_those_that_somebody_listens_at(overlay: str) -> None:
    open_at = {
        port["name"]: port["containerPort"]
        for container in containers(overlay).values()
        for port in container.get("ports", [])
    }
    site = (ROOT / "deploy/nginx/nginx.conf").read_text()
    (bound,) = re.findall(r"BIND=0\.0\.0\.0:(\d+)", " ".join(arguments("ENV")))
    assert str(open_at["api"]) == bound == arguments("EXPOSE")[0]
    assert f"server 127.0.0.1:{open_at['api']};" in site
    assert f"listen {open_at['http']} " in site
    for worker in workers(overlay).values():
        assert variables(worker)["WORKER_METRICS_BIND"] == f"0.0.0.0:{open_at['metrics']}"
    (service,) = of_kind(overlay, "Service").values()
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    for policy in of_kind(overlay, "NetworkPolicy").values():
        for rule in policy["spec"].get("ingress", []):
            assert {port["port"] for port in rule["ports"]} <= open_at.keys()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_probes_ask_for_what_is_there(overlay: str) -> None:
    for name, container in ours(overlay).items():
        own = {port["name"] for port in container.get("ports", [])}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe := container.get(kind):
                asked = probe["httpGet"]
                assert asked["port"] in own
                assert resolve(asked["path"])
                if name == "api":
                    (header,) = asked["httpHeaders"]
                    assert header["value"] in variables(container)["ALLOWED_HOSTS"].split(",")
    api = containers(overlay)["api"]
    assert api["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert api["readinessProbe"]["httpGet"]["path"] == "/health/ready"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_ends_in_its_own_time(overlay: str) -> None:
    def waits_s(container: dict[str, Any]) -> int:
        program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
        assert program == "sleep"
        return int(seconds)

    (graceful,) = re.findall(r"^graceful_timeout = (\d+)", gunicorn(), re.MULTILINE)
    api, door = containers(overlay)["api"], containers(overlay)["front-door"]
    assert waits_s(api) > waits_s(door) >= 5
    for name, pod in pods(overlay).items():
        grace_s = pod["spec"].get("terminationGracePeriodSeconds", 30)
        if name == "quantum-tasks-api":
            assert grace_s >= waits_s(api) + int(graceful) + 10
        elif "worker" in name:
            assert grace_s >= settings.SHUTDOWN_GRACE_S + 15


def gunicorn() -> str:
    return (ROOT / "gunicorn.conf.py").read_text()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_memory_is_what_the_pages_say(overlay: str) -> None:
    def limit(container: dict[str, Any]) -> int:
        return mebibytes(container["resources"]["limits"]["memory"])

    for worker in workers(overlay).values():
        threads = int(variables(worker)["WORKER_THREADS"])
        assert limit(worker) == threads * settings.CIRCUIT_LIMITS.memory_mb + 1024
        assert worker["resources"]["requests"]["memory"] == worker["resources"]["limits"]["memory"]
    assert described()["API_MEMORY"] == "2g"
    assert limit(containers(overlay)["api"]) == 2048


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_has_privileges(overlay: str) -> None:
    """The level `restricted` of Kubernetes' own standards, and a root that stays as it is."""
    for pod in pods(overlay).values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert all(volume.keys() & {"emptyDir", "configMap"} for volume in spec.get("volumes", []))
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
    (user,) = arguments("USER")
    for container in ours(overlay).values():
        context = container["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == user


def selects(labels: dict[str, str], selector: dict[str, Any]) -> bool:
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_is_selected_once(overlay: str) -> None:
    """By its own Deployment and disruption budget, and by nobody else's."""
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(overlay).items()}
    for kind in ("Deployment", "PodDisruptionBudget"):
        for name, resource in of_kind(overlay, kind).items():
            selector = resource["spec"]["selector"]
            assert [pod for pod, has in labels.items() if selects(has, selector)] == [name], kind


@pytest.mark.parametrize(
    ("overlay", "servers"), [("small", "ipBlock"), ("production", "podSelector")]
)
def test_there_is_no_way_out_but_to_names_postgresql_and_rabbitmq(
    overlay: str, servers: str
) -> None:
    policies = [each["spec"] for each in of_kind(overlay, "NetworkPolicy").values()]
    for name, pod in pods(overlay).items():
        labels = pod["metadata"]["labels"]
        here = [policy for policy in policies if selects(labels, policy["podSelector"])]
        assert {"Ingress", "Egress"} <= {kind for each in here for kind in each["policyTypes"]}
        names, *ways = [rule for each in here for rule in each.get("egress", [])]
        assert ports(names) == {53}
        assert all(peer.keys() == {"namespaceSelector", "podSelector"} for peer in names["to"])
        assert [ports(rule) for rule in ways] == [{5432}, {5672}]
        assert all(peer.keys() == {servers} for rule in ways for peer in rule["to"])
        into = set().union(*(ports(rule) for each in here for rule in each.get("ingress", [])))
        assert into == {"api", "metrics"} | ({"http"} if name == "quantum-tasks-api" else set())


def ports(rule: dict[str, Any]) -> set[Any]:
    return {each["port"] for each in rule["ports"]}


def test_the_servers_are_found_by_the_labels_that_their_operators_give() -> None:
    egress = of_kind("production", "NetworkPolicy")["quantum-tasks"]["spec"]["egress"]
    found = [rule["to"][0]["podSelector"]["matchLabels"] for rule in egress[1:]]
    (database,), (queue,) = of_kind("servers", "Cluster"), of_kind("servers", "RabbitmqCluster")
    assert found == [{"cnpg.io/cluster": database}, {"app.kubernetes.io/name": queue}]


def test_the_servers_have_the_settings_of_the_compose_file() -> None:
    (database,) = of_kind("servers", "Cluster").values()
    flags = [flag[2:].split("=") for flag in SERVICES["postgres"]["command"][1:]]
    parameters = database["spec"]["postgresql"]["parameters"]
    assert parameters.keys() == {name for name, _ in flags}
    for name, value in flags:
        if name != "shared_buffers":  # a quarter of the memory
            assert parameters[name] == value
    (queue,) = of_kind("servers", "RabbitmqCluster").values()
    assert queue["spec"]["image"] == SERVICES["rabbitmq"]["image"]
    ours = COMPOSE["configs"]["rabbitmq-user"]["content"].splitlines()
    assert set(ours) <= set(queue["spec"]["rabbitmq"]["additionalConfig"].splitlines())


def test_workers_of_one_kind_grow_with_their_own_queues() -> None:
    scaled = of_kind("production", "ScaledObject")
    assert scaled.keys() == workers("production").keys()
    kept = of_kind("production", "TriggerAuthentication")
    served: set[str] = set()
    for name, each in scaled.items():
        spec = each["spec"]
        assert spec["scaleTargetRef"] == {"name": name}
        assert spec["minReplicaCount"] >= 1, "recovery is done by workers"
        assert "replicas" not in of_kind("production", "Deployment")[name]["spec"]
        backends = variables(workers("production")[name])["WORKER_BACKENDS"].split(",")
        queues = [trigger["metadata"]["queueName"] for trigger in spec["triggers"]]
        assert queues == [queue_of(backend) for backend in backends]
        assert {trigger["authenticationRef"]["name"] for trigger in spec["triggers"]} <= kept.keys()
        served |= set(backends)
    assert served == {each.name for each in shipped()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_and_secrets_that_are_named_exist(overlay: str) -> None:
    """Secrets are those that the page makes."""
    made = secrets_of_the_page()
    assert {name: set(made[name]) for name in made} == SECRETS
    there = {"configMap": of_kind(overlay, "ConfigMap").keys(), "secret": made.keys()}
    for container in ours(overlay).values():
        for source in container["envFrom"]:
            ((kind, reference),) = source.items()
            assert reference["name"] in there[kind.removesuffix("Ref")]
        for each in container.get("env", []):
            if reference := each.get("valueFrom", {}).get("secretKeyRef"):
                assert reference["key"] in made[reference["name"]]
            if reference := each.get("valueFrom", {}).get("configMapKeyRef"):
                config = of_kind(overlay, "ConfigMap")[reference["name"]]
                assert reference["key"] in config["data"]
    for each in of_kind(overlay, "TriggerAuthentication").values():
        for target in each["spec"]["secretTargetRef"]:
            assert target["key"] in made[target["name"]]
    owners = {"secretRef": {"name": "quantum-tasks-api"}}
    names = {name for name, each in ours(overlay).items() if owners in each["envFrom"]}
    assert names == {"api", "migrate"}, "a worker knows neither the owner's password nor the key"


@pytest.mark.parametrize("name", ["quantum-tasks-api", "quantum-tasks-worker"])
def test_the_settings_take_what_a_secret_holds(name: str) -> None:
    env = os.environ | secrets_of_the_page()[name]
    command = [sys.executable, "-c", "import quantumtasks.settings"]
    subprocess.run(command, cwd=ROOT, env=env, check=True)


@cache
def secrets_of_the_page() -> dict[str, dict[str, str]]:
    """What the commands of docs/kubernetes.md make, as far as they need no cluster."""
    text, _ = commands("docs/kubernetes.md", "Secrets")
    script = 'kubectl() { "$KUBECTL" "$@" --dry-run=client -o json; }\n' + text
    done = subprocess.run(
        ["bash", "-euc", f"OWNER=o:p QUEUE=q:p\n{script}"],
        env=os.environ | {"KUBECTL": kubectl()},
        check=True,
        capture_output=True,
        text=True,
    )
    decoder, found, rest = json.JSONDecoder(), {}, done.stdout.strip()
    while rest:
        secret, end = decoder.raw_decode(rest)
        data = secret["data"].items()
        found[secret["metadata"]["name"]] = {key: b64decode(text).decode() for key, text in data}
        rest = rest[end:].strip()
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_clients_ask_for_one_name(overlay: str) -> None:
    (ingress,) = of_kind(overlay, "Ingress").values()
    (settings_,) = (
        config["data"]
        for name, config in of_kind(overlay, "ConfigMap").items()
        if name.startswith("quantum-tasks-settings-")
    )
    (rule,), (tls,) = ingress["spec"]["rules"], ingress["spec"]["tls"]
    assert [rule["host"]] == tls["hosts"] == [settings_["ALLOWED_HOSTS"]]
    (backend,) = (path["backend"]["service"] for path in rule["http"]["paths"])
    assert backend["name"] in of_kind(overlay, "Service")
    door = next(c["data"] for n, c in of_kind(overlay, "ConfigMap").items() if "front-door" in n)
    assert door["default.conf"] == (ROOT / "deploy/nginx/nginx.conf").read_text()
    assert containers(overlay)["front-door"]["image"] == SERVICES["proxy"]["image"]
