"""The statistics API described: as OpenAPI, and as a page made of it."""

import dataclasses
import json
from functools import lru_cache
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from agency.hosts import client_of
from tenants.access import access_client, accessible_sites
from tenants.models import Client

_TITLES = {"get": "GET", "post": "POST"}


@dataclasses.dataclass(frozen=True)
class Term:
    """A field, name or status and what it means."""

    name: str
    words: str
    kind: str = ""
    is_required: bool = False
    terms: tuple["Term", ...] = ()
    """Names that the field takes, where the description lists them."""


@dataclasses.dataclass(frozen=True)
class Example:
    """A request to copy."""

    title: str
    command: str


@dataclasses.dataclass(frozen=True)
class Operation:
    """One address of the API."""

    method: str
    path: str
    name: str
    title: str
    words: tuple[str, ...]
    fields: tuple[Term, ...]
    replies: tuple[Term, ...]
    reply_fields: tuple[Term, ...]
    examples: tuple[Example, ...]


@require_safe
@login_required
@never_cache
def openapi(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3 as JSON, for tools; for everybody who may see the client."""
    client = client_of(request)
    access_client(request.user, client)
    server = {"url": request.build_absolute_uri("/").rstrip("/")}
    return JsonResponse({**_schema(), "servers": [server]})


@require_safe
@login_required
@never_cache
def reference(request: HttpRequest) -> HttpResponse:
    """The same to read."""
    client = client_of(request)
    access_client(request.user, client)
    address = request.build_absolute_uri("/").rstrip("/")
    context = {"operations": _operations(address, _site_id(request, client))}
    return render(request, "client/api_reference.html", context)


def _site_id(request: HttpRequest, client: Client) -> str:
    """A site of the reader's, so that the examples work as they are."""
    sites = accessible_sites(request.user, client)
    return sites[0].main_host if sites else "www.example.com"


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    """Worked out once: it is the same for every client."""
    generator = SchemaGenerator(urlconf="tracking.api.urls")  # type: ignore[no-untyped-call]  # the library types its parts only
    schema: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # as above
    return schema


def _operations(address: str, site_id: str) -> list[Operation]:
    return [
        _operation(address, site_id, path, method, described)
        for path, methods in _schema()["paths"].items()
        for method, described in methods.items()
    ]


def _operation(
    address: str, site_id: str, path: str, method: str, described: dict[str, Any]
) -> Operation:
    body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    replies = described["responses"]
    good = replies["200"]["content"]["application/json"]["schema"]
    return Operation(
        method=_TITLES[method],
        path=path,
        name=described["operationId"],
        title=described["summary"],
        words=_paragraphs(described.get("description", "")),
        fields=_fields(body.get("schema", {})),
        replies=tuple(Term(code, _reply_words(code, reply)) for code, reply in replies.items()),
        reply_fields=_fields(good),
        examples=_examples(address, site_id, path, body),
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(part.replace("\n", " ") for part in text.split("\n\n") if part)


def _reply_words(code: str, reply: dict[str, Any]) -> str:
    if code == "200":
        return "The answer."
    (content,) = reply["content"].values()
    return str(content["schema"]["description"])


def _fields(schema: dict[str, Any]) -> tuple[Term, ...]:
    required = schema.get("required", [])
    return tuple(
        _field(name, each, is_required=name in required)
        for name, each in schema.get("properties", {}).items()
    )


def _field(name: str, schema: dict[str, Any], *, is_required: bool) -> Term:
    """A field with the names that it takes, and the fields within it."""
    texts = [schema.get("description", ""), schema.get("items", {}).get("description", "")]
    lines = [line for text in texts for line in text.splitlines()]
    terms = [_listed(line) for line in lines if line.startswith("- `")]
    words = " ".join(line for line in lines if line and not line.startswith("- `"))
    kind = "object" if schema.get("properties") else str(schema.get("type", "text or list"))
    inner = _fields(schema) or _fields(schema.get("items", {}))
    return Term(name, words, kind, is_required, (*terms, *inner))


def _listed(line: str) -> Term:
    name, _, words = line.removeprefix("- `").partition("`: ")
    return Term(name, words)


def _examples(address: str, site_id: str, path: str, body: dict[str, Any]) -> tuple[Example, ...]:
    begin = f"curl {address}{path} \\\n  -H 'Authorization: Bearer YOUR-KEY'"
    if not body:
        return (Example("With curl", begin),)
    found = []
    for example in body.get("examples", {}).values():
        value = {**example["value"], "site_id": site_id}
        text = json.dumps(value, indent=2, ensure_ascii=False)
        command = f"{begin} \\\n  -H 'Content-Type: application/json' \\\n  -d '{text}'"
        found.append(Example(example.get("summary", "With curl"), command))
    return tuple(found)
