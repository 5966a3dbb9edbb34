"""Errors as problem details (https://www.rfc-editor.org/rfc/rfc9457)."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from tracking.query.model import QueryError

CONTENT_TYPE = "application/problem+json"
REFERENCE = "/api/v1/docs"
TITLES = {
    400: "This request cannot be answered",
    401: "A key is needed",
    403: "This key may not do that",
    404: "There is no such thing",
    405: "The method is not allowed",
    406: "Only JSON is spoken here",
    413: "The request is too long",
    415: "Send JSON",
    429: "Too many requests",
}


class TooLarge(exceptions.APIException):
    """A body longer than any sensible question."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too-large"


def handle_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """The reply to an error; None for one that is ours, which becomes a plain 500."""
    if isinstance(error, QueryError):
        return _problem(400, error.code, str(error), field=error.field)
    if isinstance(error, RecursionError):
        return _problem(400, "parse-error", "The JSON is nested too deep: send a flatter one.")
    if isinstance(error, Http404):
        return _problem(404, "not-found", "There is nothing at this address.")
    if isinstance(error, PermissionDenied):
        return _problem(403, "permission-denied", "This key may not do that.")
    if not isinstance(error, exceptions.APIException):
        return None
    headers = {}
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    code = str(error.get_codes() if isinstance(error.detail, str) else error.default_code)
    return _problem(error.status_code, code.replace("_", "-"), _words(error), headers=headers)


def _words(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.Throttled):
        return "This key has asked too often: wait as long as Retry-After says, in seconds."
    if isinstance(error, exceptions.ParseError):
        return "The body is not JSON: send an object such as the one in the reference."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "Send the body as JSON, with Content-Type: application/json."
    return str(error.detail)


def _problem(
    number: int, code: str, detail: str, *, field: str = "", headers: dict[str, str] | None = None
) -> Response:
    problem: dict[str, Any] = {
        "type": f"{REFERENCE}#problem-{code}",
        "title": TITLES.get(number, "This went wrong"),
        "status": number,
        "code": code,
        "detail": detail,
    }
    if field:
        problem["errors"] = [{"field": field, "detail": detail}]
    return Response(problem, status=number, content_type=CONTENT_TYPE, headers=headers or {})


def client_request(request: Request) -> Any:
    """The request as Django sees it, with the client that the host belongs to."""
    return request._request  # noqa: SLF001 - DRF offers no other way to its own request
