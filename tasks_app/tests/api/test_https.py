"""`HTTPS_ONLY`, as gunicorn and a proxy see it."""

import pytest

from testing.service import Answer, Service

YEAR = "max-age=31536000"


def over_https(service: Service, path: str) -> Answer:
    """As through a proxy that speaks HTTPS."""
    return service.get(path, **{"X-Forwarded-Proto": "https"})


def test_people_are_sent_to_https_and_who_asks_from_inside_is_answered(service: Service) -> None:
    service.start_api(processes=1, HTTPS_ONLY="true")

    for path in ("/tasks", "/docs", "/admin/", "/metricsx", "/healthy"):
        answer = service.get(path)
        assert answer.status == 301, path
        assert answer.headers["Location"] == f"https://127.0.0.1:{service.port}{path}"
        assert over_https(service, path).status != 301, path
    for path in ("/metrics", "/metrics/", "/health", "/health/live", "/health/ready", "/health/"):
        assert service.get(path).status == 200, path
    assert over_https(service, "/tasks").headers["Strict-Transport-Security"] == YEAR


@pytest.mark.parametrize(
    ("flags", "directives"),
    [
        ({"HSTS_INCLUDE_SUBDOMAINS": "true"}, "; includeSubDomains"),
        (
            {"HSTS_INCLUDE_SUBDOMAINS": "true", "HSTS_PRELOAD": "true"},
            "; includeSubDomains; preload",
        ),
    ],
)
def test_what_binds_other_hosts_is_asked_for(
    service: Service, flags: dict[str, str], directives: str
) -> None:
    service.start_api(processes=1, HTTPS_ONLY="true", **flags)
    sent = over_https(service, "/health").headers["Strict-Transport-Security"]
    assert sent == YEAR + directives


def test_without_it_nothing_is_redirected_and_nobody_is_bound(service: Service) -> None:
    service.start_api(processes=1)
    answer = over_https(service, "/tasks")
    assert answer.status == 200
    assert "Strict-Transport-Security" not in answer.headers
