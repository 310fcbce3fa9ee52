"""JSON in, JSON out; counts also as CSV, and many results as lines of JSON."""

import csv
import io
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from django.http import StreamingHttpResponse
from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import (
    NotAcceptable,
    ParseError,
    UnsupportedMediaType,
    ValidationError,
)
from rest_framework.metadata import BaseMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer

from tasks_app.api.errors import MAX_NAME

NDJSON = "application/x-ndjson"
MAX_DEPTH = 64
MAX_VALUES = 500_000
"""Values in a body, roughly: Python needs up to 100 bytes for one that is written in three."""
_TOO_LARGE = "A number in the body is too large."
_SMALL = 65_536  # Bytes of a body that no content makes expensive.
_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?(\s|,|$))", re.IGNORECASE)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)


class OrjsonRenderer(BaseRenderer):
    """Times in UTC with Z, ids as text, and `orjson.Fragment` as it is."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> bytes:
        if data is None:
            return b""
        return orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z)


class CsvRenderer(BaseRenderer):
    """What is CSV already."""

    media_type, format, charset = "text/csv", "csv", "utf-8"

    def render(self, data: str, media_type: Any = None, context: Any = None) -> bytes:
        return data.encode()


def counts_as_csv(result: Mapping[str, Any]) -> str | None:
    """A line for each outcome, after its set's number if there are sets; None without counts."""
    sets = result.get("sets")
    if not all("counts" in each for each in sets or [result]):
        return None
    text = io.StringIO()
    lines = csv.writer(text)
    if sets is None:
        lines.writerow(("outcome", "count"))
        lines.writerows(result["counts"].items())
    else:
        lines.writerow(("set", "outcome", "count"))
        for number, each in enumerate(sets):
            lines.writerows((number, *counted) for counted in each["counts"].items())
    return text.getvalue()


def compressed(response: StreamingHttpResponse, accepted: str) -> StreamingHttpResponse:
    """The response, with gzip if the client's `Accept-Encoding` has it.

    At the first level: Django's sixth takes six times as long for a third less, which is more than
    a gigabyte saves on its way.
    """
    patch_vary_headers(response, ["Accept-Encoding"])
    if _GZIP.search(accepted):
        parts: Any = response.streaming_content  # the stubs think that it may be asynchronous
        response.streaming_content = _packed(parts)
        response["Content-Encoding"] = "gzip"
    return response


def _packed(parts: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=1, wbits=31)
    for part in parts:
        yield packer.compress(part)
    yield packer.flush()


class JsonOrNamed(DefaultContentNegotiation):
    """As `?format=` or `Accept` says, JSON where they are silent; a refusal says what there is."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        # Exactly: DRF would also take the pattern */* from whom it comes.
        given = request.content_type.partition(";")[0].strip().lower()
        for parser in parsers:
            if parser.media_type == given:
                return parser
        known = ", ".join(parser.media_type for parser in parsers)
        sentence = f"Send the body as {known}, and name that in Content-Type."
        raise UnsupportedMediaType(given, sentence)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            known = ", ".join(renderer.media_type for renderer in renderers)
            raise NotAcceptable(f"The answer is {known}: accept that, or */*.") from None

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        found = [renderer for renderer in renderers if renderer.format == format]
        if not found:
            known = ", ".join(renderer.format for renderer in renderers)
            raise ValidationError({"format": [f"Not one of {known}."]})
        return found


class AnyMediaType(JsonOrNamed):
    """There is one form of the answer, whatever `Accept` says."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class SafeJSONParser(JSONParser):
    """Answers 400 to what Python would take or fall over: depth, numbers beyond a float's, values
    without end, and names given twice.
    """

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read()
        if len(body) > _SMALL and _values(body) > MAX_VALUES:
            raise ParseError(f"The JSON has more than {MAX_VALUES:,} values.")
        try:
            data = json.loads(body.decode(), parse_constant=_refuse, object_pairs_hook=_object)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        except UnicodeDecodeError as error:
            sentence = f"The body is not UTF-8, as JSON is: look at byte {error.start:,}."
            raise ParseError(sentence) from None
        except json.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error}") from None
        except ValueError:  # Python reads no integer of so many digits
            raise ParseError(_TOO_LARGE) from None
        _check_values(data)
        return data


def _refuse(constant: str) -> None:
    raise ParseError(f"The body is not JSON, which has no {constant}.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values with one name Python would take the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ParseError(f"An object of the body has {twice[:MAX_NAME]!r} more than once.")
    return found


def _values(body: bytes) -> int:
    """At least as many values as JSON text has: each follows a comma or opens a list or object."""
    structure = _STRING.sub(b"", body)
    return sum(structure.count(mark) for mark in (b",", b"[", b"{"))


def _check_values(data: Any) -> None:
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        if math.inf in level or -math.inf in level:  # as Python reads 1e999
            raise ParseError(_TOO_LARGE)
        level = [
            child
            for each in level
            if isinstance(each, (dict, list))
            for child in (each.values() if isinstance(each, dict) else each)
        ]
    if level:
        raise ParseError("The JSON is nested too deeply.")


class AllowedMethods(BaseMetadata):
    """The route's methods, which the `Allow` header names too."""

    def determine_metadata(self, request: Any, view: Any) -> dict[str, Any]:
        return {"methods": view.allowed_methods}
