"""The admin's pages of dead letters. `agency.admin` puts them on its site."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import redis
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from tenants.admin_base import clients_in_scope, counted
from tenants.models import Client, User
from tracking.writer.dead_letters import (
    DeadLetter,
    Which,
    by_reason,
    discard,
    put_back,
    read_letters,
)

PER_PAGE = 100
AWAY = "Valkey does not answer: nothing was changed. Try again when it is back."
NOTHING = "No letter was chosen: tick some, or act on all of a reason."


@lru_cache(maxsize=1)
def _valkey() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=10, socket_connect_timeout=2)


class DeadLetterPages:
    """Reading dead letters, putting them back, discarding them; within the clients in scope."""

    def __init__(self, site: Any) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        """Below the admin's address."""
        pages: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("dead-letters/", self.show, "dead_letters"),
            ("dead-letters/put-back/", require_POST(self.put_back), "put_back_dead_letters"),
            ("dead-letters/discard/", require_POST(self.ask), "ask_dead_letters"),
            ("dead-letters/discard/yes/", require_POST(self.discard), "discard_dead_letters"),
        ]
        return [path(where, self._site.admin_view(view), name=name) for where, view, name in pages]

    def show(self, request: HttpRequest) -> HttpResponse:
        """All of them, or those of one reason, the newest first."""
        reason = request.GET.get("reason", "")
        scope = clients_in_scope(request)
        letters: list[DeadLetter] = []
        is_away = False
        try:
            letters = read_letters(_valkey(), which=Which(clients=scope))
        except redis.RedisError:
            is_away = True
        chosen = [letter for letter in letters if not reason or letter.reason == reason]
        page = Paginator(chosen, PER_PAGE).get_page(request.GET.get("page"))
        clients = dict(Client.objects.values_list("pk", "name"))
        context = {
            "title": "Dead letters",
            "is_away": is_away,
            "reason": reason,
            "reasons": [
                {"words": words, "letters": number, "hits": hits}
                for words, number, hits in by_reason(letters)
            ],
            "page": page,
            "query": urlencode({"reason": reason}) + "&" if reason else "",
            "rows": [
                {"letter": letter, "clients": _client_words(letter, clients)} for letter in page
            ],
            "total": len(chosen),
        }
        return self._page(request, "admin/operations/dead_letters.html", context)

    def put_back(self, request: HttpRequest) -> HttpResponse:
        """Put the chosen ones back on their streams."""
        which = _which(request)
        if which is None:
            messages.warning(request, NOTHING)
            return redirect("admin:dead_letters")
        try:
            outcome = put_back(_valkey(), acting_user=_who(request), which=which)
        except redis.RedisError:
            messages.error(request, AWAY)
            return redirect("admin:dead_letters")
        words = counted(outcome.letters, "letter is", "letters are")
        messages.success(
            request,
            f"{words} back on the streams. What still cannot be stored comes back here.",
        )
        if outcome.unreadable:
            words = counted(outcome.unreadable, "letter", "letters")
            messages.warning(
                request, f"{words} cannot be read, and stayed: discard what is damage."
            )
        return redirect("admin:dead_letters")

    def ask(self, request: HttpRequest) -> HttpResponse:
        """Say what would be lost."""
        which = _which(request)
        if which is None:
            messages.warning(request, NOTHING)
            return redirect("admin:dead_letters")
        try:
            letters = read_letters(_valkey(), which=which)
        except redis.RedisError:
            messages.error(request, AWAY)
            return redirect("admin:dead_letters")
        context = {
            "title": "Discard dead letters?",
            "ids": ",".join(letter.id for letter in letters),
            "letters": len(letters),
            "hits": sum(letter.hits for letter in letters),
            "reasons": [
                {"words": words, "letters": number, "hits": hits}
                for words, number, hits in by_reason(letters)
            ],
        }
        return self._page(request, "admin/operations/discard.html", context)

    def discard(self, request: HttpRequest) -> HttpResponse:
        """Delete what was asked about, and no letter that has come since."""
        which = _which(request)
        if which is None:
            messages.warning(request, NOTHING)
            return redirect("admin:dead_letters")
        try:
            outcome = discard(_valkey(), acting_user=_who(request), which=which)
        except redis.RedisError:
            messages.error(request, AWAY)
        else:
            words = counted(outcome.letters, "letter is", "letters are")
            messages.success(request, f"{words} gone for good.")
        return redirect("admin:dead_letters")

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        address = reverse("admin:dead_letters")
        context = {**self._site.each_context(request), **context, "address": address}
        return TemplateResponse(request, template, context)


def _who(request: HttpRequest) -> str:
    return cast(User, request.user).email


def _which(request: HttpRequest) -> Which | None:
    """What was chosen, within the scope; None when nothing was."""
    scope = clients_in_scope(request)
    # One field for many ids: Django takes a thousand fields at most.
    ids = {*request.POST.getlist("id"), *request.POST.get("ids", "").split(",")} - {""}
    reason = request.POST.get("reason", "")
    if ids:
        return Which(ids=ids, clients=scope)
    return Which(reason=reason, clients=scope) if reason else None


def _client_words(letter: DeadLetter, names: dict[int, str]) -> str:
    """Whose hits it holds; empty when it cannot be read."""
    return ", ".join(names.get(one, f"client {one}, unknown") for one in letter.client_ids)
