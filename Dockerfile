# One image for the API, the worker and the migrations: only the command differs.
# No HEALTHCHECK here, because the worker has no port to ask; docker-compose.yml has the API's.

FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS base

FROM base AS builder
RUN python -m venv /opt/venv
COPY requirements/locked.txt requirements/tracing-locked.txt /tmp/requirements/
# No package needs a compiler: all of them come as wheels.
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --only-binary=:all: --require-hashes --requirement /tmp/requirements/locked.txt \
        --requirement /tmp/requirements/tracing-locked.txt

FROM base
# tini: process 1 that forwards SIGTERM and reaps simulation children whose parent died.
# DL3008 wants its version pinned, but Debian's mirrors keep only the latest of a release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 quantumtasks \
    && useradd --uid 10001 --gid quantumtasks --no-log-init --no-create-home \
        --home-dir /nonexistent --shell /usr/sbin/nologin quantumtasks
# BIND: a container's loopback is nobody else's.
ENV PATH=/opt/venv/bin:$PATH \
    BIND=0.0.0.0:8001 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY manage.py gunicorn.conf.py ./
COPY quantumtasks/ quantumtasks/
COPY tasks_app/ tasks_app/
# Here and not at every start: the process may not write, least of all to a read-only root.
RUN python -m compileall -q quantumtasks tasks_app
USER 10001:10001
EXPOSE 8001
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["gunicorn", "quantumtasks.wsgi"]
