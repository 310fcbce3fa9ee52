"""The API against its own description, by machine: Schemathesis on a live service."""

import subprocess
import sys
from typing import Any

import yaml
from django.contrib.auth.models import User

from tasks_app import access
from testing.service import ROOT, Service

EXAMPLES = 3  # for each operation, besides the thousand that follow from the description
# What may be submitted is narrower than JSON Schema can say: 1.0 is an integer there, a length is
# one of characters and not of bytes, and nothing forbids null characters in a noise model.
SETTINGS = """
[parameters]
"query.wait" = 0

[checks.negative_data_rejection]
# 413 too: some of what is wrong is too large to be looked at.
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]

[[operations]]
include-operation-id-regex = "^(submit|rerun)_"
checks.positive_data_acceptance.enabled = false
"""


def without_long_lists(part: Any) -> Any:
    """The description without its bounds of ten thousand, which made half of the work: what is
    longer is `test_submit`'s."""
    if isinstance(part, list):
        return [without_long_lists(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        name: without_long_lists(each)
        for name, each in part.items()
        if (name, each) not in (("maxItems", 10_000), ("maxProperties", 10_000))
    }


def test_schemathesis_finds_nothing(service: Service) -> None:
    owner = User.objects.create_user("schemathesis", password="a-password-of-its-own")
    _, token = access.create_token(owner, label="test", read_only=False, expires_at=None)
    service.start_api(processes=1, API_AUTH="required")
    (service.folder / "schemathesis.toml").write_text(SETTINGS)
    # A description that names itself makes five times the work: lists of lists are `test_submit`'s.
    description = without_long_lists(yaml.safe_load((ROOT / "docs/openapi.yaml").read_text()))
    description["components"]["schemas"]["InputValue"]["oneOf"][2]["items"] = {"type": "number"}
    (service.folder / "openapi.yaml").write_text(yaml.safe_dump(description))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            *("openapi.yaml", "--url", f"http://127.0.0.1:{service.port}"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(EXAMPLES), "--no-shrink", "--continue-on-failure"),
            *("--workers", "2", "--seed", "1", "--request-timeout", "60"),
            *("--suppress-health-check", "all", "--warnings", "off"),
        ],
        cwd=service.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (
        "\n".join(line[:500] for line in done.stdout.splitlines()) + done.stderr[-2000:]
    )
