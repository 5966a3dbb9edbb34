"""Serving /outward.js: per client's settings, compressed, with 304 for who has it."""

from tracking.collector import replies
from tracking.collector.config import Config
from tracking.collector.hosts import host_name
from tracking.collector.replies import Reply
from tracking.collector.requests import Headers, RefusedError
from tracking.refusals import Reason
from tracking.script.serve import (
    ScriptConfig,
    ScriptNotBuiltError,
    ScriptResponse,
    choose_encoding,
    is_unchanged,
    script_response,
)


class Scripts:
    """The variants of the script that were asked for; at most 12."""

    def __init__(self) -> None:
        self._responses: dict[ScriptConfig, ScriptResponse] = {}

    def reply(self, config: Config, method: str, headers: Headers) -> Reply:
        """The script of the host's client, 304, or 405; raises RefusedError without a client."""
        if method not in ("GET", "HEAD"):
            return replies.not_allowed("GET")
        host = config.hosts.get(host_name(headers.get("host", "")))
        if host is None:
            raise RefusedError(403, Reason.HOST, error="host: no client is served here")
        client = host.client
        try:
            found = self._find(
                ScriptConfig(client.honour_gpc, client.honour_dnt, client.cookie_mode)
            )
        except ScriptNotBuiltError:
            raise RefusedError(
                503,
                Reason.ERROR,
                error="script: it is not built; run python -m tracking.script.build",
                retry_after_s=60,
            ) from None
        lines = list(found.headers.items())
        if is_unchanged(headers.get("if-none-match", ""), found.headers["etag"]):
            return Reply(304, lines)
        encoding = choose_encoding(headers.get("accept-encoding", ""))
        body = found.bodies[encoding]
        if encoding != "identity":
            lines.append(("content-encoding", encoding))
        lines.append(("content-length", str(len(body))))
        return Reply(200, lines, body)

    def _find(self, config: ScriptConfig) -> ScriptResponse:
        if config not in self._responses:
            self._responses[config] = script_response(config)
        return self._responses[config]
