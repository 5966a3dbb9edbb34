"""Log-in without a browser: guesses, staff's second factor, OpenID Connect, mail servers."""

import contextlib
import datetime as dt
import http.server
import itertools
import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import redis
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    validate_totp_code,
)
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import Client as Browser
from django.test import override_settings

from agency.environment import SettingError, email_config, oidc_apps
from tenants.models import Client, LogInSession, Membership, Role, User
from tenants.tasks import clear_expired_sessions
from tests.conftest import PASSWORD
from tests.walking import browser_of

_numbers = itertools.count(1)
AGENCY = settings.AGENCY_HOST
ADDRESS = "203.0.113.91"


def person(client: Client | None, role: Role) -> User:
    user = User.objects.create_user(f"account-{next(_numbers)}@people.example", PASSWORD)
    Membership.objects.create(user=user, client=client, role=role)
    return user


def try_log_in(browser: Browser, email: str, password: str) -> Any:
    return browser.post("/log-in/", {"login": email, "password": password})


def add_app(user: User) -> str:
    """Give the user an authenticator app, by allauth's own code; returns its secret."""
    secret = str(generate_totp_secret())
    TOTP.activate(user, secret)
    return secret


# --- guessing


def come_from_address(address: str, host: str = "alpha.localhost") -> Browser:
    return Browser(headers={"host": host}, REMOTE_ADDR=address)


def guess(user: User, address: str, times: int) -> Any:
    """Guess wrong; returns the last reply."""
    browser = come_from_address(address)
    return [try_log_in(browser, user.email, "wrong") for _ in range(times)][-1]


def test_eight_wrong_guesses_lock_the_account_for_a_quarter_of_an_hour_on_every_host(
    client_a: Client, client_b: Client
) -> None:
    user = person(client_a, Role.VIEWER)
    here = Browser(headers={"host": "alpha.localhost"})
    for number in range(8):
        reply = try_log_in(here, user.email.upper() if number % 2 else user.email, "wrong")
    assert reply.status_code == 429
    assert "guessed wrong eight times" in reply.content.decode()
    for password in ("wrong", PASSWORD):
        assert try_log_in(here, user.email, password).status_code == 429
    on_another_host = Browser(headers={"host": "bravo.localhost"})
    assert try_log_in(on_another_host, user.email, PASSWORD).status_code == 429
    other = person(client_a, Role.VIEWER)
    assert try_log_in(here, other.email, PASSWORD).status_code == 302


def test_nobody_locks_the_owner_of_an_account_out_from_another_network(
    client_a: Client, time_machine: Any
) -> None:
    time_machine.move_to(dt.datetime.now(dt.UTC), tick=False)
    user = person(client_a, Role.VIEWER)
    guess(user, "198.51.100.9", 30)
    guess(user, "2001:db8:1:2::1", 4)
    assert guess(user, "2001:db8:1:2:ffff::1", 4).status_code == 429, "one network of IPv6"
    owner = come_from_address("203.0.113.7")
    assert try_log_in(owner, user.email, PASSWORD).status_code == 302
    assert guess(user, "198.51.100.9", 1).status_code == 429, "the guesser waits as before"


def test_a_hundred_wrong_guesses_from_many_networks_lock_the_account_for_all(
    client_a: Client, time_machine: Any
) -> None:
    time_machine.move_to(dt.datetime.now(dt.UTC), tick=False)
    user = person(client_a, Role.VIEWER)
    for number in range(14):
        assert guess(user, f"198.51.100.{number}", 7).status_code == 200
    assert guess(user, "198.51.100.20", 2).status_code == 429
    owner = come_from_address("203.0.113.7")
    reply = try_log_in(owner, user.email, PASSWORD)
    assert reply.status_code == 429
    assert "a hundred times" in reply.content.decode()
    owner.post("/password-reset/", {"email": user.email})
    (path,) = re.findall(r"http://[^/]+(/password-reset/\S+)", str(mail.outbox[-1].body))
    form = owner.get(path)["Location"]
    new = "quite another phrase"
    assert owner.post(form, {"password1": new, "password2": new}).status_code == 302
    assert try_log_in(owner, user.email, new).status_code == 302


def test_a_right_password_forgets_the_wrong_ones(client_a: Client) -> None:
    user = person(client_a, Role.VIEWER)
    for _ in range(3):
        browser = Browser(headers={"host": "alpha.localhost"})
        for _ in range(7):
            assert try_log_in(browser, user.email, "wrong").status_code == 200
        assert try_log_in(browser, user.email, PASSWORD).status_code == 302


def test_outsiders_of_the_host_are_told_so_after_the_right_password_only(
    client_a: Client, client_b: Client
) -> None:
    user = person(client_a, Role.VIEWER)
    browser = Browser(headers={"host": "bravo.localhost"})
    assert "do not go together" in try_log_in(browser, user.email, "wrong").content.decode()
    reply = browser.post("/log-in/", {"login": user.email, "password": PASSWORD}, follow=True)
    assert "nothing to see here" in reply.content.decode()
    assert "_auth_user_id" not in browser.session


def test_no_address_and_no_account_is_kept_or_logged_by_a_log_in(
    client_a: Client, valkey: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    user = person(client_a, Role.VIEWER)
    agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Gecko/20100101 Firefox/142.7"
    browser = Browser(headers={"host": "alpha.localhost", "user-agent": agent}, REMOTE_ADDR=ADDRESS)
    with caplog.at_level(logging.DEBUG):
        try_log_in(browser, user.email, "wrong")
        try_log_in(browser, user.email, PASSWORD)
        browser.get("/account/sessions/")
        browser.post("/password-reset/", {"email": user.email})
    at_info = [one.getMessage() for one in caplog.records if one.levelno >= logging.INFO]
    logged = "\n".join(line for line in at_info if not line.startswith("AXES"))
    assert ADDRESS not in caplog.text
    assert user.email not in logged
    for key in valkey.scan_iter():
        kind = valkey.type(key)
        value = valkey.get(key) if kind == b"string" else b""
        assert ADDRESS.encode() not in key + (value or b"")
        assert user.email.encode() not in key + (value or b"")
    kept = ("tenants_session", "axes_accessattempt", "axes_accesslog", "account_emailaddress")
    with connection.cursor() as cursor:
        for table in kept:
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            text = cursor.fetchone()[0] or ""
            assert ADDRESS not in text, table
            assert "142.7" not in text, table


def test_axes_own_log_is_silent_in_the_product() -> None:
    logging_settings: dict[str, Any] = settings.LOGGING
    loggers = logging_settings["loggers"]
    assert loggers["axes"]["level"] == "CRITICAL"
    assert loggers["allauth"]["level"] == "ERROR"


# --- second factor


@override_settings(STAFF_2FA=True)
def test_staff_without_a_second_factor_reach_its_set_up_only(client_a: Client) -> None:
    analyst = person(None, Role.ANALYST)
    for host in (AGENCY, "alpha.localhost"):
        browser = browser_of(analyst, host)
        for path in ("/", "/people/", "/account/sessions/", "/mail/"):
            reply = browser.get(path)
            assert (reply.status_code, reply["Location"]) == (302, "/account/second-factor/")
        page = browser.get("/account/second-factor/")
        assert "set one up" in page.content.decode()
        assert browser.get("/account/second-factor/app/").status_code == 302
    add_app(analyst)
    assert browser_of(analyst, "alpha.localhost").get("/people/").status_code == 200
    viewer = person(client_a, Role.VIEWER)
    assert browser_of(viewer, "alpha.localhost").get("/people/").status_code == 200


@override_settings(STAFF_2FA=True)
def test_staff_cannot_take_their_last_second_factor_off() -> None:
    analyst = person(None, Role.ANALYST)
    secret = add_app(analyst)
    browser = Browser(headers={"host": AGENCY})
    try_log_in(browser, analyst.email, PASSWORD)
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    browser.post("/log-in/second-step/", {"code": code})
    browser.post("/account/confirm/", {"password": PASSWORD})
    reply = browser.post("/account/second-factor/app/remove/")
    assert "Add another one first" in reply.content.decode()
    assert browser.get("/people/").status_code == 200


def test_without_the_setting_a_second_factor_is_optional(client_a: Client) -> None:
    assert settings.STAFF_2FA is False
    assert browser_of(person(None, Role.ANALYST), AGENCY).get("/people/").status_code == 200


def test_a_log_in_between_its_two_steps_is_worth_nothing_on_another_host(
    client_a: Client, client_b: Client
) -> None:
    user = person(client_a, Role.VIEWER)
    Membership.objects.create(user=user, client=client_b, role=Role.VIEWER)
    secret = add_app(user)
    here = Browser(headers={"host": "alpha.localhost"})
    assert try_log_in(here, user.email, PASSWORD)["Location"] == "/log-in/second-step/"
    elsewhere = Browser(headers={"host": "bravo.localhost"})
    elsewhere.cookies = here.cookies
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    assert elsewhere.post("/log-in/second-step/", {"code": code})["Location"] == "/log-in/"
    assert elsewhere.get("/people/").status_code == 302


def to_the_second_step(user: User, address: str) -> Browser:
    browser = Browser(headers={"host": "alpha.localhost"}, REMOTE_ADDR=address)
    assert try_log_in(browser, user.email, PASSWORD)["Location"] == "/log-in/second-step/"
    return browser


def code_of(secret: str, *, is_right: bool = True) -> str:
    value = hotp_value(secret, int(time.time()) // 30)
    return str(format_hotp_value(value if is_right else (value + 1) % 1_000_000))


def test_the_sixth_wrong_code_of_an_account_waits_whatever_its_address(
    client_a: Client, time_machine: Any
) -> None:
    now = dt.datetime.now(dt.UTC)
    time_machine.move_to(now, tick=False)
    user = person(client_a, Role.VIEWER)
    secret = add_app(user)
    for number in range(5):
        browser = to_the_second_step(user, f"198.51.100.{number}")
        reply = browser.post("/log-in/second-step/", {"code": code_of(secret, is_right=False)})
        assert "This code is not right" in reply.content.decode()
    for is_right in (False, True):
        browser = to_the_second_step(user, "203.0.113.5")
        reply = browser.post("/log-in/second-step/", {"code": code_of(secret, is_right=is_right)})
        assert "Wait five minutes" in reply.content.decode()
        assert browser.get("/account/").status_code == 302
    other = person(client_a, Role.VIEWER)
    others = add_app(other)
    reply = to_the_second_step(other, "203.0.113.5").post(
        "/log-in/second-step/", {"code": code_of(others)}
    )
    assert reply["Location"] == "/"
    time_machine.move_to(now + dt.timedelta(minutes=5, seconds=1), tick=False)
    browser = to_the_second_step(user, "203.0.113.5")
    assert browser.post("/log-in/second-step/", {"code": code_of(secret)})["Location"] == "/"
    assert browser.get("/account/").status_code == 200


def test_wrong_codes_to_confirm_a_change_are_counted_too(client_a: Client) -> None:
    user = person(client_a, Role.VIEWER)
    secret = add_app(user)
    browser = browser_of(user, "alpha.localhost")
    for number in range(6):
        reply = browser.post("/account/confirm/code/", {"code": code_of(secret, is_right=False)})
        page = reply.content.decode()
        assert ("Wait five minutes" if number == 5 else "This code is not right") in page
    reply = browser.post("/account/confirm/code/", {"code": code_of(secret)})
    assert "Wait five minutes" in reply.content.decode()


def test_a_flood_of_passwords_from_one_network_waits_a_minute(
    client_a: Client, time_machine: Any
) -> None:
    time_machine.move_to(dt.datetime.now(dt.UTC), tick=False)
    browser = Browser(headers={"host": "alpha.localhost"}, REMOTE_ADDR="203.0.113.120")
    for number in range(121):
        reply = try_log_in(browser, f"nobody-{number}@people.example", "wrong")
    assert "Too many tries from your network" in reply.content.decode()


# --- OpenID Connect


class Provider(http.server.ThreadingHTTPServer):
    """A small provider: what it says of whoever comes is in `claims`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.claims: dict[str, Any] = {}
        self.issuer = f"http://127.0.0.1:{self.server_port}"


class _Answers(http.server.BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        issuer = self.server.issuer
        if self.path == "/.well-known/openid-configuration":
            self.answer(
                {
                    "issuer": issuer,
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "userinfo_endpoint": f"{issuer}/userinfo",
                    "jwks_uri": f"{issuer}/keys",
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                }
            )
        elif self.path == "/userinfo":
            self.answer(self.server.claims)
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        standard = {"iss": self.server.issuer, "aud": "outward", "iat": now, "exp": now + 60}
        token = jwt.encode({**standard, **self.server.claims}, "k" * 32, algorithm="HS256")
        self.answer({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def answer(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Quiet."""


@contextlib.contextmanager
def configured(provider: Provider) -> Iterator[None]:
    apps = [
        {
            "provider_id": "oidc-1",
            "name": "House Login",
            "client_id": "outward",
            "secret": "s",
            "settings": {"server_url": provider.issuer},
        }
    ]
    with override_settings(SOCIALACCOUNT_PROVIDERS={"openid_connect": {"APPS": apps}}):
        yield


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with configured(server):
        yield server
    server.shutdown()
    thread.join()
    server.server_close()


def come_from(provider: Provider, host: str, **claims: Any) -> tuple[Browser, Any]:
    """Go to the provider and come back with its claims."""
    provider.claims = {"sub": f"subject-{next(_numbers)}", **claims}
    browser = Browser(headers={"host": host})
    assert "House Login" in browser.get("/log-in/").content.decode()
    away = browser.post("/log-in/with/oidc-1/")
    assert away.status_code == 302, away.content
    query = parse_qs(urlsplit(away["Location"]).query)
    assert away["Location"].startswith(f"{provider.issuer}/authorize")
    assert query["redirect_uri"] == [f"http://{host}/log-in/with/oidc-1/callback/"]
    back = {"code": "c", "state": query["state"][0]}
    return browser, browser.get("/log-in/with/oidc-1/callback/", back)


def test_openid_connect_lets_in_who_has_an_account_with_a_verified_address(
    client_a: Client, provider: Provider
) -> None:
    user = person(client_a, Role.VIEWER)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    browser, reply = come_from(
        provider, "alpha.localhost", email=user.email.upper(), email_verified=True
    )
    assert reply["Location"] == "/"
    assert browser.get("/people/").status_code == 200
    user.refresh_from_db()
    assert user.check_password(PASSWORD), "the password stays"
    assert not SocialAccount.objects.filter(user=user).exists()


@pytest.mark.parametrize("missing", ["account", "verified here", "verified there", "membership"])
def test_openid_connect_lets_nobody_else_in(
    missing: str, client_a: Client, client_b: Client, provider: Provider
) -> None:
    user = person(client_b if missing == "membership" else client_a, Role.VIEWER)
    EmailAddress.objects.create(
        user=user, email=user.email, verified=missing != "verified here", primary=True
    )
    before = User.objects.count()
    email = "nobody@elsewhere.example" if missing == "account" else user.email
    browser, _ = come_from(
        provider, "alpha.localhost", email=email, email_verified=missing != "verified there"
    )
    assert browser.get("/people/").status_code == 302
    assert User.objects.count() == before
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_openid_connect_asks_for_the_second_factor_too(
    client_a: Client, provider: Provider
) -> None:
    user = person(client_a, Role.VIEWER)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    add_app(user)
    browser, reply = come_from(provider, "alpha.localhost", email=user.email, email_verified=True)
    assert reply["Location"] == "/log-in/second-step/"
    assert browser.get("/people/").status_code == 302


# --- settings


def set_variables(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "NAME"):
        monkeypatch.delenv(f"OUTWARD_OIDC_{name}", raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_a_provider_is_named_by_variables_or_by_json(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch)
    assert oidc_apps() == []
    given = {"issuer": "https://id.example", "client_id": "a", "client_secret": "b"}
    set_variables(monkeypatch, **{f"OUTWARD_OIDC_{key.upper()}": given[key] for key in given})
    (app,) = oidc_apps()
    assert (app["name"], app["secret"]) == ("id.example", "b")
    assert app["settings"]["server_url"] == "https://id.example"
    set_variables(monkeypatch, OUTWARD_OIDC=json.dumps([given, {**given, "name": "Two"}]))
    assert [one["provider_id"] for one in oidc_apps()] == ["oidc-1", "oidc-2"]


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("nonsense", "not JSON"),
        ('{"issuer": "x"}', "not a list"),
        ('[{"issuer": "https://id.example", "client_id": "a"}]', "client_secret"),
        ('[{"issuer": "id", "client_id": "a", "client_secret": "b"}]', "https://"),
    ],
)
def test_a_provider_that_is_not_whole_is_refused_with_a_remedy(
    value: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, OUTWARD_OIDC=value)
    with pytest.raises(SettingError, match=remedy):
        oidc_apps()


def test_mail_goes_to_files_or_to_the_server_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OUTWARD_EMAIL_URL", raising=False)
    assert email_config("OUTWARD_EMAIL_URL").backend.endswith("FileBackend")
    monkeypatch.setenv("OUTWARD_EMAIL_URL", "smtp://me%40x.example:p%2Fw@mail.example:2525?tls=1")
    found = email_config("OUTWARD_EMAIL_URL")
    assert (found.host, found.port, found.user, found.password) == (
        *("mail.example", 2525),
        *("me@x.example", "p/w"),
    )
    assert (found.starttls, found.tls) == (True, False)
    monkeypatch.setenv("OUTWARD_EMAIL_URL", "smtps://mail.example")
    assert (email_config("OUTWARD_EMAIL_URL").port, email_config("OUTWARD_EMAIL_URL").tls) == (
        *(465, True),
    )


@pytest.mark.parametrize("value", ["mail.example:25", "http://u:secret@x", "smtp://u:secret@x:y"])
def test_a_mail_server_that_makes_no_sense_is_refused_without_its_password(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTWARD_EMAIL_URL", value)
    with pytest.raises(SettingError, match="smtp://user") as refused:
        email_config("OUTWARD_EMAIL_URL")
    assert "secret" not in str(refused.value)


def test_expired_sessions_are_cleared(client_a: Client) -> None:
    user = person(client_a, Role.VIEWER)
    browser_of(user, "alpha.localhost").get("/")
    row = LogInSession.objects.get(user=user)
    clear_expired_sessions()
    assert LogInSession.objects.filter(pk=row.pk).exists()
    row.expire_date -= dt.timedelta(days=30)
    row.save()
    clear_expired_sessions()
    assert not LogInSession.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True)])
def test_a_code_is_taken_in_the_step_before_and_after_its_own(
    steps: int, is_taken: bool, time_machine: Any
) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, 0, 10, tzinfo=dt.UTC), tick=False)
    secret = generate_totp_secret()
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))
    assert validate_totp_code(secret, code) is is_taken
