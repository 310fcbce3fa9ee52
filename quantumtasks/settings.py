"""Every setting, read from the environment (documented in `.env.example`).

Anything missing or unsafe stops the process at boot with the variable's name and the remedy.
"""

import math
import os
import re
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import environ
import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from quantumtasks.logging import configure_logging
from tasks_app.circuits import Limits
from tasks_app.queue.nodes import nodes

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")  # the process's own environment wins over the file


def _required(name: str, remedy: str) -> str:
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {remedy}")
    return str(value)


def _number(name: str, default: float, *, least: float) -> float:
    text = env.str(name, default=str(default))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value < 1e9:
        raise ImproperlyConfigured(f"{name} is {text!r}; it must be a number, at least {least:g}.")
    return value


def _whole(name: str, default: int, *, least: int) -> int:
    value = _number(name, default, least=least)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} is {value:g}; it must be a whole number.")
    return int(value)


def _list(name: str, *default: str) -> list[str]:
    """Separated by commas; spaces around them mean nothing."""
    parts = str(env.str(name, default=",".join(default))).split(",")
    return [part.strip() for part in parts if part.strip()]


def _choice(name: str, *choices: str) -> str:
    """The first is the default."""
    value = str(env.str(name, default=choices[0]))
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be {' or '.join(choices)}.")
    return value


def _flag(name: str) -> bool:
    return _choice(name, "false", "true", "False", "True", "0", "1").lower() in {"true", "1"}


# --- Place ------------------------------------------------------------------------------------

URL_PREFIX = str(env.str("URL_PREFIX", default=""))
_OWN_PATHS = (
    "tasks|batches|backends|queue|log|tokens|health|metrics|openapi|docs|console|runtime|admin|"
    "static"
)
if URL_PREFIX and not re.fullmatch(rf"(?!/({_OWN_PATHS}))(/[\w.~-]+)+", URL_PREFIX, re.ASCII):
    raise ImproperlyConfigured(
        f"URL_PREFIX is {URL_PREFIX!r}; it must be a path that begins with a slash, not with a "
        "route of the service, and does not end with one, for example URL_PREFIX=/quantum."
    )
if "SCRIPT_NAME" in os.environ:
    raise ImproperlyConfigured("SCRIPT_NAME is not read; set URL_PREFIX instead.")
FORCE_SCRIPT_NAME = URL_PREFIX  # also when it is empty: no header says otherwise

# --- Security ---------------------------------------------------------------------------------

DEBUG = _flag("DEBUG")
_MAKE_A_KEY = 'Make one: python -c "import secrets; print(secrets.token_urlsafe(50))".'
SECRET_KEY = _required("SECRET_KEY", _MAKE_A_KEY)
ALLOWED_HOSTS = _list("ALLOWED_HOSTS", "127.0.0.1", "localhost", "[::1]")
HTTPS_ONLY = _flag("HTTPS_ONLY")

_PLACEHOLDER = re.compile(r"change.?me|secret.?key|insecure", re.IGNORECASE)
if not DEBUG:
    if len(SECRET_KEY) < 32 or len(set(SECRET_KEY)) < 5 or _PLACEHOLDER.search(SECRET_KEY):
        raise ImproperlyConfigured(
            f"SECRET_KEY is a placeholder or shorter than 32 characters. {_MAKE_A_KEY}"
        )
    if any(host.startswith(("*", ".")) for host in ALLOWED_HOSTS):
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS has a wildcard. Name the hosts that clients use, "
            "for example ALLOWED_HOSTS=tasks.example.org."
        )

SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
# These two bind hosts that are not ours, and preloading is hard to take back.
SECURE_HSTS_INCLUDE_SUBDOMAINS = _flag("HSTS_INCLUDE_SUBDOMAINS")
SECURE_HSTS_PRELOAD = _flag("HSTS_PRELOAD")
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # which ask for them
# Asked over plain HTTP from inside.
SECURE_REDIRECT_EXEMPT = [rf"^{re.escape(URL_PREFIX.lstrip('/'))}/?(health(/|$)|metrics/?$)"]
if HTTPS_ONLY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if SECURE_HSTS_INCLUDE_SUBDOMAINS and not HTTPS_ONLY:
    raise ImproperlyConfigured("HSTS_INCLUDE_SUBDOMAINS means nothing without HTTPS_ONLY=true.")
if SECURE_HSTS_PRELOAD and not SECURE_HSTS_INCLUDE_SUBDOMAINS:
    raise ImproperlyConfigured("HSTS_PRELOAD is not taken without HSTS_INCLUDE_SUBDOMAINS=true.")
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = URL_PREFIX or "/"
CSRF_TRUSTED_ORIGINS = _list("CSRF_TRUSTED_ORIGINS")

# --- Application ------------------------------------------------------------------------------

INSTALLED_APPS = [
    "tasks_app",  # first: its `rundramatiq` extends django_dramatiq's
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_dramatiq",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "tasks_app.api.middleware.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "quantumtasks.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
TIME_ZONE = "UTC"
USE_I18N = False
STATIC_URL = f"{URL_PREFIX}/static/"
WHITENOISE_USE_FINDERS = True  # the admin's and Swagger's files straight from their packages
APPEND_SLASH = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [{"NAME": "tasks_app.logins.TokensOutlivePasswords"}]

# --- PostgreSQL -------------------------------------------------------------------------------

_EXAMPLE = "For example DATABASE_URL=postgres://user:password@localhost:5432/tasks."
DB_STATEMENT_TIMEOUT_S = _number("DB_STATEMENT_TIMEOUT_S", 10, least=0)  # 0: none


def _database(name: str, url: str) -> dict[str, Any]:
    """From a URL as PostgreSQL's own programs read it: several hosts, and any option of libpq's."""
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(f"{name} must name a PostgreSQL server. {_EXAMPLE}")
    try:
        given: dict[str, Any] = conninfo_to_dict(url)
    except psycopg.Error:  # whose words may hold the password
        raise ImproperlyConfigured(f"{name} cannot be read. {_EXAMPLE}") from None
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host"}
    database = {key: given.pop(part, "") for key, part in (names | {"PORT": "port"}).items()}
    ports, hosts = database["PORT"], database["HOST"]
    if not re.fullmatch(r"[\d,]*", ports) or ports.count(",") not in {0, hosts.count(",")}:
        raise ImproperlyConfigured(f"{name} has wrong ports. {_EXAMPLE}")
    if not database["NAME"]:
        raise ImproperlyConfigured(f"{name} cannot be read. {_EXAMPLE}")
    if "," in hosts:  # a standby and its primary: no work can be done on the former
        given.setdefault("target_session_attrs", "read-write")
    time_outs = (
        f"-c statement_timeout={DB_STATEMENT_TIMEOUT_S:g}s -c lock_timeout=5s "
        "-c idle_in_transaction_session_timeout=15s"
    )
    ours = {
        "connect_timeout": 2,
        "tcp_user_timeout": 5_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "application_name": "quantumtasks",
        "prepare_threshold": 0,  # what goes through `prepared_cursor`, from its first use on
    }
    return database | {
        "ENGINE": "tasks_app.postgresql",
        "CONN_MAX_AGE": _whole("DB_CONN_MAX_AGE", 300, least=0),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": ours | given | {"options": f"{time_outs} {given.get('options', '')}".strip()},
    }


DATABASES = {"default": _database("DATABASE_URL", _required("DATABASE_URL", _EXAMPLE))}
DATABASE_DIRECT_URL = str(env.str("DATABASE_DIRECT_URL", default=""))
if DATABASE_DIRECT_URL:
    # DATABASE_URL is a pooler's in transaction mode: nothing of a session lasts there, neither
    # prepared statements nor cursors, and time-outs are the pooler's to set (docs/operations.md).
    DATABASES["direct"] = _database("DATABASE_DIRECT_URL", DATABASE_DIRECT_URL)
    DATABASES["direct"]["TEST"] = {"MIRROR": "default"}
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
    DATABASES["default"]["OPTIONS"] |= {"prepare_threshold": None, "options": ""}
WORKER_DATABASE_URL = str(env.str("WORKER_DATABASE_URL", default=""))  # for `grant_roles`
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- RabbitMQ through Dramatiq ----------------------------------------------------------------

RABBITMQ_URL = _required(
    "RABBITMQ_URL",
    "For example RABBITMQ_URL=amqp://user:password@localhost:5672/, "
    "or memory:// for one process with its worker inside.",
)
QUEUE_DOWN_POLICY = _choice("QUEUE_DOWN_POLICY", "reject", "accept")
if RABBITMQ_URL.startswith("memory:"):
    _broker: dict[str, Any] = {"BROKER": "dramatiq.brokers.stub.StubBroker"}
else:
    try:
        nodes(RABBITMQ_URL)
    except ValueError as error:
        raise ImproperlyConfigured(f"RABBITMQ_URL {error}") from None
    _broker = {"BROKER": "tasks_app.queue.broker.DoorbellBroker", "OPTIONS": {"url": RABBITMQ_URL}}
DRAMATIQ_BROKER = _broker | {"MIDDLEWARE": []}  # `actors` adds the worker's own

# --- Tasks ------------------------------------------------------------------------------------

LEASE_S = _number("LEASE_S", 30, least=0.1)
HEARTBEAT_S = _number("HEARTBEAT_S", 0.5, least=0.1)  # also how soon a cancelled circuit stops
RECOVERY_S = _number("RECOVERY_S", 2, least=0.1)
WORKER_BACKENDS = tuple(_list("WORKER_BACKENDS"))  # none: all that there are
WORKER_THREADS = _whole("WORKER_THREADS", os.cpu_count() or 1, least=1)
SHUTDOWN_GRACE_S = _number("SHUTDOWN_GRACE_S", 20, least=0.1)
MAX_ATTEMPTS = _whole("MAX_ATTEMPTS", 3, least=1)
CONSUMER_TIMEOUT_S = _number("RABBITMQ_CONSUMER_TIMEOUT_S", 1800, least=0.1)
CIRCUIT_LIMITS = Limits(
    max_circuit_bytes=_whole("MAX_CIRCUIT_BYTES", 1_048_576, least=1),
    memory_mb=_whole("SIMULATION_MEMORY_MB", 4096, least=64),
    deadline_s=_number("TASK_DEADLINE_S", 300, least=0.1),
)
SANDBOX_WALLS = _choice("SANDBOX_WALLS", "available", "required")
if HEARTBEAT_S >= LEASE_S / 3:
    raise ImproperlyConfigured(
        f"HEARTBEAT_S ({HEARTBEAT_S:g}) must be less than a third of LEASE_S ({LEASE_S:g}): "
        "a task must survive two missed heartbeats."
    )
if 2 * CIRCUIT_LIMITS.deadline_s + 60 >= CONSUMER_TIMEOUT_S:
    raise ImproperlyConfigured(
        f"TASK_DEADLINE_S ({CIRCUIT_LIMITS.deadline_s:g}) is too long for "
        f"RABBITMQ_CONSUMER_TIMEOUT_S ({CONSUMER_TIMEOUT_S:g}): a message may be held for two "
        "deadlines and 60 s. Raise consumer_timeout in rabbitmq.conf and here, or lower the "
        "deadline."
    )

RETENTION_DAYS = _whole("RETENTION_DAYS", 0, least=0)  # 0: tasks are kept for ever
AUDIT_DAYS = _whole("AUDIT_DAYS", 0, least=0)  # 0: the audit is
if 0 < AUDIT_DAYS < 30:
    raise ImproperlyConfigured(
        f"AUDIT_DAYS is {AUDIT_DAYS}; it must be at least 30, as long as the database guards each "
        "entry, or 0 to keep them for ever."
    )
OWNER_LIMITS = {  # 0: no limit; the admin sets them for single owners
    "pending": _whole("LIMIT_PENDING", 20_000, least=0),
    "per_minute": _whole("LIMIT_PER_MINUTE", 20_000, least=0),
    "stored_mb": _whole("LIMIT_STORED_MB", 20_480, least=0),
    "shots": _whole("LIMIT_SHOTS", 0, least=0),
    "qubits": _whole("LIMIT_QUBITS", 0, least=0),
    "max_priority": _whole("LIMIT_MAX_PRIORITY", 0, least=0),  # 0: none above 0
}
# Tasks of an owner that run at a time; 0: no limit; None: a share of the slots (`turns`).
LIMIT_MAX_RUNNING = (
    _whole("LIMIT_MAX_RUNNING", 0, least=0) if env.str("LIMIT_MAX_RUNNING", default="") else None
)

# --- API --------------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = 6 * CIRCUIT_LIMITS.max_circuit_bytes + 65_536  # JSON escapes
# Texts of a batch's own circuits, parameters, names and tags, with what each shares.
MAX_SUBMISSION_BYTES = _whole("MAX_SUBMISSION_BYTES", 16_777_216, least=1)
BIND = env.str("BIND", default="127.0.0.1:8001")  # a container's own is in the Dockerfile
_ADDRESS = r"[^,:\s]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}"
if not re.fullmatch(_ADDRESS, BIND):  # not a file's socket, to which all clients are one
    raise ImproperlyConfigured(
        f"BIND is {BIND!r}; it must be an address and a port, for example BIND=127.0.0.1:8001."
    )
WORKER_METRICS_BIND = str(env.str("WORKER_METRICS_BIND", default=""))  # empty: nowhere
if WORKER_METRICS_BIND and not re.fullmatch(_ADDRESS, WORKER_METRICS_BIND):
    raise ImproperlyConfigured(
        f"WORKER_METRICS_BIND is {WORKER_METRICS_BIND!r}; it must be an address and a port, for "
        "example WORKER_METRICS_BIND=127.0.0.1:9108, or empty."
    )
TRUSTED_PROXIES = _list("TRUSTED_PROXIES")
try:
    list(map(ip_address, TRUSTED_PROXIES))
except ValueError as _error:
    raise ImproperlyConfigured(
        f"TRUSTED_PROXIES: {_error}. Name each proxy's address, for example "
        "TRUSTED_PROXIES=127.0.0.1,10.0.0.5."
    ) from None
WEB_CONCURRENCY = _whole("WEB_CONCURRENCY", 2, least=1)
WEB_THREADS = _whole("WEB_THREADS", 8, least=1)
API_AUTH = _choice("API_AUTH", "required", "open")  # tokens, or anybody
AUTHENTICATION_BACKENDS = ["tasks_app.logins.ThrottledBackend"]
# A waiting client holds a thread of its process: half of them serve everybody else.
MAX_WAITING = max(1, WEB_THREADS // 2)
MAX_STREAMS = max(1, WEB_THREADS // 4)  # and so does who is sent a long answer
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_RENDERER_CLASSES": ["tasks_app.api.content.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tasks_app.api.content.SafeJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tasks_app.api.content.JsonOrNamed",
    "DEFAULT_METADATA_CLASS": "tasks_app.api.content.AllowedMethods",
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,  # a batch's wrong elements are named by index
    "EXCEPTION_HANDLER": "tasks_app.api.errors.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Quantum Tasks",
    "DESCRIPTION": "Submit OpenQASM circuits, read status, result and history.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": URL_PREFIX or "/", "description": "This service"}],
    "CONTACT": {"name": "Whoever runs this service"},
    "TAGS": [
        {"name": "tasks", "description": "Submit, read, cancel and delete circuits to run."},
        {"name": "batches", "description": "Tasks that were submitted together."},
        {"name": "backends", "description": "What tasks can run on."},
        {"name": "queue", "description": "How long it is, and how fast it moves."},
        {"name": "tokens", "description": "Keys of programs that use the API."},
        {"name": "login", "description": "A session, to make a first token with."},
        {"name": "logout", "description": "The session's end."},
        {"name": "health", "description": "Is it alive, is it ready, and what is wrong."},
        {"name": "metrics", "description": "For Prometheus."},
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": f"{STATIC_URL}tasks_app/icon.svg",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "TaskStatus": "tasks_app.models.Status.choices",
        "HealthStatus": ["healthy", "degraded"],
        "DependencyStatus": ["connected", "disconnected"],
    },
}

# --- Traces -----------------------------------------------------------------------------------

# Everything else of `OTEL_…` is read by OpenTelemetry itself.
_traces_to = str(env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default=""))
TRACING = bool(_traces_to)
if TRACING:
    if not _traces_to.startswith(("http://", "https://")):
        raise ImproperlyConfigured(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is {_traces_to!r}; it must be the address of a receiver, "
            "for example OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318."
        )
    try:
        find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: pip install "
            "--require-hashes -r requirements/locked.txt -r requirements/tracing-locked.txt."
        ) from None
    MIDDLEWARE.insert(0, "tasks_app.api.tracing.TracingMiddleware")

# --- Logging ----------------------------------------------------------------------------------

SLOW_QUERY_S = 0.1
LOG_LEVEL = _choice("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")
LOGGING_CONFIG = None  # done here, so that what follows is structured too
configure_logging(console=DEBUG, level=LOG_LEVEL)
