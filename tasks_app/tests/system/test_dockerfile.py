"""The Dockerfile, checked as far as it can be without Docker."""

import json
import re
import shlex
from fnmatch import fnmatch

import pytest
from django.conf import settings

ROOT = settings.BASE_DIR


def instructions() -> list[tuple[str, str]]:
    """`[("FROM", "python:3.11 AS builder"), …]`, continuation lines joined, comments left out."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(keyword, rest) for keyword, _, rest in (line.partition(" ") for line in joined)]


ALL = instructions()
LAST_STAGE = max(i for i, (keyword, _) in enumerate(ALL) if keyword == "FROM")
FINAL = ALL[LAST_STAGE:]


def arguments(keyword: str, of: list[tuple[str, str]] = ALL) -> list[str]:
    return [rest for word, rest in of if word == keyword]


def test_what_builds_is_not_what_runs() -> None:
    assert any("--from=builder" in copy for copy in arguments("COPY", FINAL))
    assert not any("pip install" in run for run in arguments("RUN", FINAL))


def test_both_stages_begin_with_one_slim_image() -> None:
    base, builder, final = arguments("FROM")
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64} AS base", base)
    assert (builder, final) == ("base AS builder", "base")


def test_it_installs_the_requirements_of_production() -> None:
    (install,) = [run for run in arguments("RUN") if "pip install" in run]
    assert "--no-cache-dir" in install
    assert "--require-hashes" in install
    names = [f"requirements/{name}.txt" for name in ("locked", "tracing-locked")]
    assert re.findall(r"--requirement /tmp/(\S+)", install) == names
    (copy,) = [copy for copy in arguments("COPY") if copy.endswith(" /tmp/requirements/")]
    assert copy.split()[:-1] == names


@pytest.mark.parametrize(("asked", "answer"), [("base", "locked"), ("tracing", "tracing-locked")])
def test_what_is_locked_is_what_was_tested_and_has_hashes(asked: str, answer: str) -> None:
    locked = (ROOT / f"requirements/{answer}.txt").read_text()
    entries = re.findall(
        r"^(\S+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n?)+)", locked, re.M
    )
    versions = {canonical(name): version for name, version, _ in entries}
    assert len(entries) == len(re.findall(r"^\S+==", locked, re.M))
    assert pinned(f"{asked}.txt").items() <= versions.items()
    assert versions.items() <= pinned("constraints.txt").items()


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    found = re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)$", text, re.M)
    return {canonical(package): version for package, version in found}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_file_that_is_copied_exists_and_is_sent_to_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for copy in arguments("COPY"):
        *sources, _ = [word for word in shlex.split(copy) if not word.startswith("--")]
        if "--from" in copy:
            continue
        for source in sources:
            assert (ROOT / source).exists(), source
            assert source != "."
            assert not any(fnmatch(source.rstrip("/"), pattern) for pattern in ignored)
    assert arguments("ADD") == []


def test_secrets_and_data_are_not_sent_to_the_build() -> None:
    assert {".env", ".git", ".data"} <= set((ROOT / ".dockerignore").read_text().split())
    assert not re.search("KEY|PASS|SECRET|TOKEN", " ".join(arguments("ENV") + arguments("ARG")))


def test_it_runs_as_a_fixed_user_without_rights() -> None:
    keywords = [keyword for keyword, _ in FINAL]
    (user,) = arguments("USER", FINAL)
    uid, gid = map(int, user.split(":"))
    assert min(uid, gid) >= 10_000
    after = keywords[keywords.index("USER") :]
    assert "CMD" in after
    assert not {"RUN", "COPY"} & set(after)  # the user owns none of the program's files


def test_signals_reach_the_program_and_orphans_are_reaped() -> None:
    (entrypoint,), (command,) = arguments("ENTRYPOINT"), arguments("CMD")
    assert json.loads(entrypoint) == ["/usr/bin/tini", "--"]
    assert json.loads(command) == ["gunicorn", "quantumtasks.wsgi"]
    assert any("apt-get install" in run and " tini" in run for run in arguments("RUN", FINAL))


def test_packages_are_installed_without_leaving_anything_behind() -> None:
    for run in arguments("RUN"):
        if "apt-get" in run:
            assert "--no-install-recommends" in run
            assert "rm -rf /var/lib/apt/lists/*" in run


def test_output_is_not_held_back() -> None:
    assert "PYTHONUNBUFFERED=1" in " ".join(arguments("ENV", FINAL))
