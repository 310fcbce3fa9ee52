"""docker-compose.yml, checked as far as it can be without Docker."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from django.conf import settings

from tasks_app.tests.system.test_env_example import described, required

ROOT = settings.BASE_DIR
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
VARIABLE = re.compile(r"\$\{(\w+)([^}]*)\}")


def seconds(duration: str) -> int:
    """`45s`, or the default in `${NAME:-45s}`."""
    match = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)s\}?", duration)
    assert match, duration
    return int(match[1])


def test_it_is_valid_by_the_compose_specification() -> None:
    schema = json.loads((Path(__file__).parent / "compose_spec/compose-spec.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(COMPOSE)


def test_the_schema_would_notice_a_mistake() -> None:
    schema = json.loads((Path(__file__).parent / "compose_spec/compose-spec.json").read_text())
    wrong = {"services": {"api": {"image": "x", "restrat": "always"}}}
    with pytest.raises(jsonschema.ValidationError, match="restrat"):
        jsonschema.Draft202012Validator(schema).validate(wrong)


def test_the_services_are_those_documented() -> None:
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always == {"postgres", "rabbitmq", "migrate", "api", "proxy", "worker"}
    assert set(SERVICES) - always == {"prometheus", "grafana"}
    assert SERVICES["postgres"]["image"].startswith("postgres:")
    assert re.match(r"rabbitmq:4\.[\d.]+-management@", SERVICES["rabbitmq"]["image"])


def test_nothing_starts_before_what_it_needs() -> None:
    needs = {
        "postgres": "service_healthy",
        "rabbitmq": "service_healthy",
        "migrate": "service_completed_successfully",
    }
    for name in ("api", "worker"):
        conditions = {k: v["condition"] for k, v in SERVICES[name]["depends_on"].items()}
        assert conditions == needs
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES
            assert "healthcheck" in SERVICES[needed] or how["condition"] != "service_healthy"


def test_the_commands_are_those_that_the_integration_tests_run() -> None:
    worker = "python manage.py rundramatiq"
    assert " ".join(SERVICES["api"]["command"]) == "gunicorn quantumtasks.wsgi"
    assert " ".join(SERVICES["worker"]["command"]) == worker
    migrate = "sh -c python manage.py migrate --noinput && python manage.py grant_roles"
    assert " ".join(SERVICES["migrate"]["command"]) == migrate


def test_every_variable_is_described_in_the_example() -> None:
    assert {name for name, _ in VARIABLE.findall(TEXT)} <= described().keys()


def test_secrets_come_from_the_environment_and_their_absence_is_an_error() -> None:
    for name, modifier in VARIABLE.findall(TEXT):
        if name in required():
            assert modifier.startswith(":?"), f"{name} may be missing"
            assert len(modifier) > 10, f"{name}: say what to do"
    assert required() == {name for name, modifier in VARIABLE.findall(TEXT) if ":?" in modifier}
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("KEY|PASS|_URL", name) and value:
                assert "${" in value, f"{name} is written out"


def test_defaults_are_those_that_the_example_states() -> None:
    example = described()
    for name, modifier in VARIABLE.findall(TEXT):
        if modifier.startswith(":-") and modifier != ":-":
            assert example[name] == modifier.removeprefix(":-"), name


def test_ports_are_open_to_this_machine_only_unless_asked() -> None:
    ports = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert ports == {
        "api": ["${API_ADDRESS:-127.0.0.1}:8001:8080"],
        "rabbitmq": ["${MANAGEMENT_ADDRESS:-127.0.0.1}:15672:15672"],
        "grafana": ["${GRAFANA_ADDRESS:-127.0.0.1}:3000:3000"],
    }


def test_workers_can_be_scaled() -> None:
    assert not {"container_name", "ports", "hostname"} & SERVICES["worker"].keys()


def test_what_dies_is_started_again() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")


def test_a_worker_has_the_time_to_hand_back_what_it_runs() -> None:
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > settings.SHUTDOWN_GRACE_S + 10


def test_data_outlives_its_container() -> None:
    for name, folder in {
        "postgres": "/var/lib/postgresql/data",
        "rabbitmq": "/var/lib/rabbitmq",
    }.items():
        (volume,) = SERVICES[name]["volumes"]
        source, target = volume.split(":")
        assert (source in COMPOSE["volumes"], target) == (True, folder)
    assert SERVICES["rabbitmq"]["hostname"]  # RabbitMQ keeps its data by the node's name


def test_our_containers_have_no_privileges() -> None:
    for name in OURS:
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
        assert SERVICES[name]["environment"]["DEBUG"] == "false"


def test_a_worker_has_its_own_role_and_no_way_out() -> None:
    worker, migrate = SERVICES["worker"], SERVICES["migrate"]
    assert worker["environment"]["DATABASE_URL"] == migrate["environment"]["WORKER_DATABASE_URL"]
    assert "quantumtasks_worker:${WORKER_POSTGRES_PASSWORD" in worker["environment"]["DATABASE_URL"]
    assert worker["environment"]["POSTGRES_PASSWORD"] == ""
    assert "${SECRET_KEY" not in worker["environment"]["SECRET_KEY"]
    assert worker["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    published = {name for name, service in SERVICES.items() if "ports" in service}
    assert published == {name for name, s in SERVICES.items() if "outside" in s.get("networks", [])}


def test_nothing_of_ours_takes_all_memory_or_process_ids() -> None:
    assert all(SERVICES[name]["pids_limit"] == 512 for name in OURS)
    assert {"mem_limit"} <= SERVICES["api"].keys() & SERVICES["worker"].keys()


def test_rabbitmqs_user_is_no_administrator() -> None:
    (config,) = SERVICES["rabbitmq"]["configs"]
    assert config["target"].startswith("/etc/rabbitmq/conf.d/")
    content = COMPOSE["configs"][config["source"]]["content"]
    assert "default_user_tags.administrator = false" in content


def test_the_api_is_asked_whether_it_lives() -> None:
    program, flag, code = SERVICES["api"]["healthcheck"]["test"][1:]
    assert (program, flag) == ("python", "-c")
    compile(code, "healthcheck", "exec")
    assert "http://127.0.0.1:8001/health/live" in code
    assert "127.0.0.1," in SERVICES["api"]["environment"]["ALLOWED_HOSTS"]


def test_strangers_reach_the_proxy_and_nothing_else() -> None:
    proxy, api = SERVICES["proxy"], SERVICES["api"]["environment"]
    assert proxy["network_mode"] == "service:api"
    assert api["BIND"] == "127.0.0.1:8001"
    assert api["TRUSTED_PROXIES"] == "127.0.0.1"
    source, target, mode = proxy["volumes"][0].split(":")
    site = (ROOT / source).read_text()
    assert (target, mode) == ("/etc/nginx/conf.d/default.conf", "ro")
    assert f"server {api['BIND']};" in site
    assert "listen 8080 " in site
    assert (proxy["read_only"], proxy["cap_drop"]) == (True, ["ALL"])


def test_the_proxy_takes_what_the_api_takes() -> None:
    site = (ROOT / "deploy/nginx/nginx.conf").read_text()
    (size,) = re.findall(r"client_max_body_size (\d+)k; # 6 x", site)
    assert int(size) * 1024 >= settings.DATA_UPLOAD_MAX_MEMORY_SIZE > (int(size) - 2) * 1024


def test_prometheus_scrapes_what_is_there_and_grafana_shows_it() -> None:
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    of_api, of_worker = (job for job in scraped["scrape_configs"])
    assert of_api["static_configs"] == [{"targets": ["api:8080"]}]  # the proxy's port there
    assert "api" in SERVICES["api"]["environment"]["ALLOWED_HOSTS"].split(",")
    (lookup,) = of_worker["dns_sd_configs"]
    assert lookup["names"] == ["worker"]
    bind = SERVICES["worker"]["environment"]["WORKER_METRICS_BIND"]
    assert bind == f"0.0.0.0:{lookup['port']}"
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["profiles"] == ["observability"]
        for volume in SERVICES[name]["volumes"]:
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source
    provisioning = ROOT / "deploy/grafana/provisioning"
    source = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    boards = yaml.safe_load((provisioning / "dashboards/quantum-tasks.yml").read_text())
    folder = boards["providers"][0]["options"]["path"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/quantum-tasks.json"
    assert home in mounted
