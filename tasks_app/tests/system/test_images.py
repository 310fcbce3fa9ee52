"""The images of others that we begin with and run: each one by version and digest."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from tasks_app.tests.system.test_dockerfile import arguments
from testing.servers import rabbitmq_image

ROOT = settings.BASE_DIR
FILES = [ROOT / "docker-compose.yml", *sorted((ROOT / "deploy").rglob("*.y*ml"))]
PINNED = re.compile(r"([\w./-]+):v?\d+(?:\.\d+)+(?:-\w+)*@sha256:[0-9a-f]{64}")


def named(part: Any) -> Iterator[str]:
    """Every image that a document of YAML names, at whatever depth."""
    if isinstance(part, list):
        for each in part:
            yield from named(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from [value] if key in ("image", "imageName") else named(value)


def images() -> list[tuple[str, str]]:
    """Images with the files that name them, without the one that is built here."""
    first, *_ = arguments("FROM")
    found = [("Dockerfile", first.partition(" ")[0])]
    for path in FILES:
        for image in named(list(yaml.safe_load_all(path.read_text()))):
            if not image.startswith("quantum-tasks"):
                found.append((str(path.relative_to(ROOT)), image))
    return found


def test_all_of_them_are_found() -> None:
    names = {image.partition(":")[0].rpartition("/")[2] for _, image in images()}
    servers = {"nginx", "postgres", "postgresql", "rabbitmq"}  # the third is CloudNativePG's
    assert names == {"python", "prometheus", "grafana"} | servers


@pytest.mark.parametrize(("file", "image"), images())
def test_an_image_has_a_version_and_a_digest(file: str, image: str) -> None:
    assert PINNED.fullmatch(image), f"{file}: {image}"


def test_an_image_is_the_same_everywhere() -> None:
    different = {image for _, image in images()}
    assert len(different) == len({image.partition(":")[0] for image in different})
    assert rabbitmq_image() in different, "what tests run where there is Docker"


def test_dependabot_looks_into_each_folder() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    looked = {
        folder
        for each in updates
        if each["package-ecosystem"].startswith("docker")
        for folder in each.get("directories") or [each["directory"]]
    }
    folders = {(Path("/") / file).parent for file, _ in images()}
    assert {str(folder) for folder in folders} == looked


@pytest.mark.parametrize("image", ["nginx", "nginx:1.30.5", "nginx:latest@sha256:" + 64 * "a"])
def test_less_than_that_would_be_noticed(image: str) -> None:
    assert not PINNED.fullmatch(image)
