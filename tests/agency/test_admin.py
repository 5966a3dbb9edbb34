import datetime as dt
import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser
from django.urls import get_resolver, resolve, reverse

from agency import job_records, operations
from agency.admin import site
from agency.celery import app
from tenants.admin import ADMINS
from tenants.api_keys import create_api_key
from tenants.crypto import KEY_BYTES
from tenants.keys import Purpose, destroy_client_keys, get_key
from tenants.keystore.models import DataKey
from tenants.models import (
    ApiKey,
    AuditEntry,
    Client,
    ClientGroup,
    LogInSession,
    Membership,
    PrivacySettings,
    Role,
    User,
)
from tests.conftest import PASSWORD, site_of
from tests.tracking.hit_maker import make_hit
from tests.walking import browser_of, patterns, shows_nothing
from tracking.refusals import Reason, refused_field, refused_name
from tracking.streams import FIELD, GROUP, dead_name, encode_hits, lease_name, stream_name

HOST = settings.AGENCY_HOST
PREFIX = settings.STREAM_PREFIX


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", settings.PUBLIC_SCHEMA_URLCONF, args=args)


def text_of(reply: Any) -> str:
    return str(reply.content.decode())


@pytest.fixture
def owner(agency_owner: User) -> Browser:
    return browser_of(agency_owner, HOST)


@pytest.fixture
def officer(privacy_officer: User) -> Browser:
    return browser_of(privacy_officer, HOST)


@pytest.fixture
def officer_of_b(client_b: Client) -> Iterator[User]:
    """A privacy officer whose scope is client B alone."""
    user = User.objects.create_user("officer.b@agency.example", PASSWORD)
    membership = Membership.objects.create(
        user=user, client=None, role=Role.PRIVACY_OFFICER, all_clients=False
    )
    membership.clients.set([client_b])
    yield user
    user.delete()


def test_every_page_is_led_from_to_the_page_that_rules_it(client_a: Client) -> None:
    workflows = [
        workflow
        for admin in ADMINS.values()
        for workflow in (admin.workflow, getattr(admin, "row_workflow", None))
        if workflow is not None
    ]
    for workflow in workflows:
        address = workflow.url(client_a)
        assert bool(address) is bool(workflow.label), workflow
        if address:
            resolve(address.partition("?")[0], settings.PUBLIC_SCHEMA_URLCONF)
    assert len(workflows) >= 10


def test_the_privacy_settings_lead_to_the_clients_privacy_page(
    officer: Browser, client_a: Client
) -> None:
    row = PrivacySettings.objects.get(client=client_a)
    page = text_of(officer.get(url("tenants_privacysettings_change", row.pk)))
    found = re.search(rf'href="(/clients/{client_a.pk}/enter/[^"]+)"[^>]*>Open the privacy', page)
    assert found
    there = officer.get(html.unescape(found[1]))["Location"]
    here = Browser(headers={"host": "alpha.localhost"})
    assert here.get("/enter/" + there.partition("/enter/")[2])["Location"] == "/privacy/"
    assert here.get("/privacy/").status_code == 200


@pytest.fixture
def stream(valkey: Any) -> Iterator[Any]:
    """The house's own streams, empty."""
    _empty(valkey)
    yield valkey
    _empty(valkey)


def _empty(valkey: Any) -> None:
    for pattern in ("hits:*", "dead", "lease:*", "writers", "job:*", "job-failures:*", "refused:*"):
        for key in valkey.scan_iter(f"{PREFIX}:{pattern}"):
            valkey.delete(key)


def bury(valkey: Any, reason: str, *hits: Any) -> str:
    fields = {"reason": reason, "payload": encode_hits(hits), "at": 1_780_000_000}
    return str(valkey.xadd(dead_name(PREFIX), fields).decode())


def admin_pages() -> list[str]:
    """Addresses below /admin/ that take no argument."""
    found = []
    for name, _, wanted in patterns(get_resolver(settings.PUBLIC_SCHEMA_URLCONF)):
        if name.startswith("admin:") and not wanted:
            found.append(reverse(name, settings.PUBLIC_SCHEMA_URLCONF))
    return found


def rows_of(model: Any) -> list[str]:
    """Pages of the first rows of a model."""
    label = f"{model._meta.app_label}_{model._meta.model_name}_change"
    return [url(label, pk) for pk in model.objects.order_by("pk").values_list("pk", flat=True)[:5]]


# --- who gets in


def test_owners_and_privacy_officers_get_in(owner: Browser, officer: Browser) -> None:
    for browser in (owner, officer):
        reply = browser.get("/admin/")
        assert reply.status_code == 200
        assert "The house now" in text_of(reply)


def test_a_role_that_is_too_small_gets_403_and_an_outsider_404(
    analyst: User, manager_a: User, stranger: User
) -> None:
    for path in (*admin_pages(), *rows_of(Client)):
        assert browser_of(analyst, HOST).get(path).status_code in {403, 405}, path
        for outsider in (manager_a, stranger):
            assert browser_of(outsider, HOST).get(path).status_code in {404, 405}, path


def test_is_staff_opens_nothing(stranger: User) -> None:
    User.objects.filter(pk=stranger.pk).update(is_staff=True, is_superuser=True)
    try:
        assert browser_of(stranger, HOST).get("/admin/").status_code == 404
    finally:
        User.objects.filter(pk=stranger.pk).update(is_staff=False, is_superuser=False)


def test_there_is_one_log_in_page_and_it_leads_back(agency_owner: User) -> None:
    reply = Browser(headers={"host": HOST}).get("/admin/jobs/")
    assert reply.status_code == 302
    assert reply["Location"] == "/log-in/?next=/admin/jobs/"
    assert Browser(headers={"host": HOST}).get("/admin/login/").status_code == 404
    assert browser_of(agency_owner, HOST).get("/admin/password_change/").status_code == 404


def test_staff_without_a_second_factor_set_one_up_first(
    owner: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "STAFF_2FA", True)
    reply = owner.get("/admin/")
    assert reply.status_code == 302
    assert reply["Location"] == "/account/second-factor/"


def test_there_is_no_admin_on_a_clients_host(agency_owner: User, client_a: Client) -> None:
    browser = browser_of(agency_owner, "alpha.localhost")
    assert browser.get("/admin/").status_code == 404
    assert not any(
        name.startswith("admin:") for name, _, _ in patterns(get_resolver(settings.ROOT_URLCONF))
    )


def test_who_reaches_one_client_sees_nothing_of_another(
    officer_of_b: User, client_a: Client, client_b: Client, viewer_a: User, stream: Any
) -> None:
    browser = browser_of(officer_of_b, HOST)
    create_api_key(client_a, name="Alphas key", acting_user="tests")
    hit = make_hit(client_id=client_a.pk, site_id=site_of(client_a).pk)
    bury(stream, "a reason of Alpha", hit)
    for path in admin_pages():
        reply = browser.get(path)
        assert reply.status_code in {200, 302, 403, 405}, path
        if reply.status_code == 200:
            assert "Alpha" not in text_of(reply), path
            assert viewer_a.email not in text_of(reply), path
    for path in ("streams", "jobs", "refusals"):
        assert browser.get(url(path)).status_code == 403
    for model in site._registry:
        for path in rows_of(model):
            reply = browser.get(path)
            if reply.status_code == 200:
                assert "Alpha" not in text_of(reply), path
    assert browser.get(url("tenants_client_change", client_a.pk)).status_code == 302
    assert browser.get(url("tenants_client_change", client_b.pk)).status_code == 200
    # Letters of another client are as absent as none.
    browser.post(url("put_back_dead_letters"), {"reason": "a reason of Alpha"})
    assert stream.xlen(dead_name(PREFIX)) == 1


# --- what is shown


def test_every_page_and_row_can_be_read(
    owner: Browser, officer: Browser, client_a: Client, client_b: Client, viewer_a: User
) -> None:
    create_api_key(client_a, name="Shop window", acting_user="tests")
    ClientGroup.objects.get_or_create(name="Read")
    tried = 0
    for browser in (owner, officer):
        for path in admin_pages():
            # Adding is for who may change clients' settings.
            expected = {200, 405} if browser is owner else {200, 403, 405}
            assert browser.get(path).status_code in expected, path
        for model in site._registry:
            for path in rows_of(model):
                assert browser.get(path).status_code == 200, path
                tried += 1
    assert tried > 20


def test_clients_are_not_made_deleted_or_renamed_here(owner: Browser, client_a: Client) -> None:
    listed = text_of(owner.get(url("tenants_client_changelist")))
    assert "/clients/new/" in listed
    assert owner.get("/admin/tenants/client/add/").status_code in {302, 404}
    row = url("tenants_client_change", client_a.pk)
    assert f"/clients/{client_a.slug}/settings/" in text_of(owner.get(row))
    wanted = {"name": "Other", "slug": "other", "schema_name": "public", "db_role": "postgres"}
    assert owner.post(row, wanted).status_code == 403
    assert owner.post(f"/admin/tenants/client/{client_a.pk}/delete/").status_code in {302, 404}
    held = Client.objects.get(pk=client_a.pk)
    assert (held.name, held.slug, held.schema_name) == ("Alpha & Sons", "alpha", "c_alpha")


def test_no_page_shows_bytes_of_a_key_or_a_hash(
    owner: Browser, client_a: Client, client_b: Client
) -> None:
    api_key, secret = create_api_key(client_a, name="Looked for", acting_user="tests")
    today = dt.datetime.now(dt.UTC).date()
    plain = [get_key(client_a.pk, Purpose.IP, today).secret]
    plain += [get_key(client_b.pk, purpose, None).secret for purpose in (Purpose.COOKIE,)]
    wrapped = [bytes(one) for one in DataKey.objects.values_list("wrapped", flat=True) if one]
    assert all(len(one) == KEY_BYTES for one in plain)
    hashes = [*User.objects.values_list("password", flat=True), api_key.hash, secret]
    sessions = list(LogInSession.objects.values_list("session_key", flat=True))
    forbidden = [form for key in (*plain, *wrapped) for form in _forms(key)]
    forbidden += [text for text in (*hashes, *sessions) if text]
    pages = [*admin_pages(), *(path for model in site._registry for path in rows_of(model))]
    pages += [f"{path}?q=a" for path in admin_pages()]
    # Of two clients: other tests of the process have made hundreds of keys.
    keys = DataKey.objects.filter(client_id__in=[client_a.pk, client_b.pk])
    pages += [url("keystore_datakey_change", pk) for pk in keys.values_list("pk", flat=True)]
    seen = 0
    for path in pages:
        body = owner.get(path).content
        found = [text for text in forbidden if text.encode() in body]
        assert not found, f"{path} shows {len(found)} secrets"
        seen += api_key.prefix.encode() in body
    assert seen >= 2, "the key's beginning is shown in its list and on its page"
    assert len(pages) > 40


def _forms(key: bytes) -> list[str]:
    """A key's bytes in the forms in which a page might print them."""
    import base64

    return [
        key.hex(),
        base64.b64encode(key).decode().rstrip("="),
        base64.urlsafe_b64encode(key).decode().rstrip("="),
        repr(key)[2:-1],
    ]


def test_a_destroyed_key_is_the_record_of_its_destruction(
    owner: Browser, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    now = dt.datetime(2026, 5, 4, 3, 2, tzinfo=dt.UTC)
    destroy_client_keys(client.pk, now)
    page = text_of(owner.get(f"{url('keystore_datakey_changelist')}?client={client.pk}"))
    assert "destroyed" in page
    assert "4 May 2026" in page
    assert page.count("in force") == 0


def test_the_audit_trail_is_searched_and_filtered_and_changed_by_nobody(
    owner: Browser, client_a: Client, client_b: Client
) -> None:
    address = url("tenants_auditentry_changelist")
    page = text_of(owner.get(f"{address}?client={client_b.pk}&act=client.create"))
    assert "bravo" in page
    assert '"slug": "alpha"' not in page
    assert "slug: alpha" not in page
    found = text_of(owner.get(f"{address}?q=bravo"))
    assert "client.create" in found
    assert "0 results" in text_of(owner.get(f"{address}?q=no+such+word+anywhere"))
    assert "0 results" in text_of(owner.get(f"{address}?client=1;drop"))
    entry = AuditEntry.objects.latest("pk")
    row = url("tenants_auditentry_change", entry.pk)
    assert owner.post(row, {"actor": "nobody"}).status_code == 403
    assert owner.post(f"{row.removesuffix('change/')}delete/").status_code in {302, 404}
    assert AuditEntry.objects.get(pk=entry.pk).actor == entry.actor


# --- what is done


def acts_since(before: int) -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(pk__gt=before).order_by("pk")
    return list(entries.values_list("act", "actor"))


@pytest.fixture
def before(databases: None) -> int:
    entry = AuditEntry.objects.order_by("-pk").first()
    return entry.pk if entry else 0


def do(browser: Browser, model: str, action: str, *rows: Any, sure: bool = True) -> Any:
    fields = {"action": action, "_selected_action": [row.pk for row in rows]}
    if sure:
        fields["confirmed"] = "yes"
    return browser.post(url(f"tenants_{model}_changelist"), fields, follow=True)


def test_a_group_is_made_changed_and_deleted_with_an_entry_each(
    owner: Browser, agency_owner: User, client_a: Client, client_b: Client, before: int
) -> None:
    add = url("tenants_clientgroup_add")
    owner.post(add, {"name": "Shops", "order": 3, "clients": [client_a.pk]})
    group = ClientGroup.objects.get(name="Shops")
    assert list(group.clients.all()) == [client_a]
    row = url("tenants_clientgroup_change", group.pk)
    owner.post(row, {"name": "Stores", "order": 1, "clients": [client_b.pk]})
    group.refresh_from_db()
    assert (group.name, list(group.clients.all())) == ("Stores", [client_b])
    delete = url("tenants_clientgroup_delete", group.pk)
    assert "Stores" in text_of(owner.get(delete))
    owner.post(delete, {"post": "yes"})
    assert not ClientGroup.objects.filter(pk=group.pk).exists()
    who = agency_owner.email
    acts = ["group.create", "group.change", "group.delete"]
    assert acts_since(before) == [(act, who) for act in acts]
    assert not LogEntry.objects.exists()


def test_an_account_is_closed_after_a_question_and_its_sessions_end(
    owner: Browser, agency_owner: User, client_a: Client, before: int
) -> None:
    user = User.objects.create_user("leaver@alpha.example", PASSWORD)
    Membership.objects.create(user=user, client=client_a, role=Role.VIEWER)
    theirs = browser_of(user, "alpha.localhost")
    assert theirs.get("/").status_code == 200
    asked = do(owner, "user", "close_accounts", user, sure=False)
    assert "Close these accounts?" in text_of(asked)
    assert User.objects.get(pk=user.pk).is_active
    assert "1 account is closed" in text_of(do(owner, "user", "close_accounts", user))
    assert shows_nothing(theirs.get("/"))
    assert not User.objects.get(pk=user.pk).is_active
    assert "1 account is open" in text_of(do(owner, "user", "open_accounts", user))
    assert User.objects.get(pk=user.pk).is_active
    who = agency_owner.email
    assert acts_since(before) == [("account.close", who), ("account.open", who)]


def test_nobody_closes_their_own_account(owner: Browser, agency_owner: User, before: int) -> None:
    reply = do(owner, "user", "close_accounts", agency_owner)
    assert "This is your own account" in text_of(reply)
    assert User.objects.get(pk=agency_owner.pk).is_active
    assert acts_since(before) == []


def test_a_person_is_renamed_and_nothing_else_of_them_is_changed(
    owner: Browser, agency_owner: User, viewer_a: User, before: int
) -> None:
    row = url("tenants_user_change", viewer_a.pk)
    held = User.objects.get(pk=viewer_a.pk)
    fields = {"first_name": "Vi", "last_name": "Ewer", "email": "x@y.example", "is_staff": "on"}
    assert owner.post(row, fields).status_code == 302
    now = User.objects.get(pk=viewer_a.pk)
    assert (now.first_name, now.last_name) == ("Vi", "Ewer")
    assert (now.email, now.is_staff, now.password) == (held.email, False, held.password)
    assert acts_since(before) == [("account.rename", agency_owner.email)]
    User.objects.filter(pk=viewer_a.pk).update(first_name="", last_name="")


def test_people_and_clients_are_changed_by_owners_only(
    officer: Browser, client_a: Client, viewer_a: User, before: int
) -> None:
    assert officer.post(url("tenants_user_change", viewer_a.pk), {}).status_code == 403
    do(officer, "user", "close_accounts", viewer_a)
    do(officer, "client", "close_clients", client_a)
    assert officer.post(url("tenants_clientgroup_add"), {"name": "X"}).status_code == 403
    assert User.objects.get(pk=viewer_a.pk).is_active
    assert Client.objects.get(pk=client_a.pk).is_active
    assert acts_since(before) == []


def test_a_client_is_taken_out_of_service_and_put_back(
    owner: Browser, agency_owner: User, new_client: Callable[..., Client], before: int
) -> None:
    client = new_client()
    before = AuditEntry.objects.latest("pk").pk
    host = f"{client.slug}.localhost"
    assert "refused" in text_of(do(owner, "client", "close_clients", client, sure=False))
    assert Client.objects.get(pk=client.pk).is_active
    do(owner, "client", "close_clients", client)
    assert browser_of(agency_owner, host).get("/").status_code == 404
    do(owner, "client", "reopen_clients", client)
    assert browser_of(agency_owner, host).get("/").status_code == 200
    acts = [act for act, _ in acts_since(before) if act != "client.enter"]
    assert acts == ["client.close", "client.reopen"]


def test_an_api_key_is_revoked_after_a_question(
    officer: Browser, privacy_officer: User, client_a: Client
) -> None:
    key, _ = create_api_key(client_a, name="Lost", acting_user="tests")
    before = AuditEntry.objects.latest("pk").pk
    assert "cannot be brought back" in text_of(do(officer, "apikey", "revoke", key, sure=False))
    key.refresh_from_db()
    assert key.revoked_at is None
    do(officer, "apikey", "revoke", key)
    assert ApiKey.objects.get(pk=key.pk).revoked_at is not None
    assert acts_since(before) == [("api_key.revoke", privacy_officer.email)]


def test_whatever_can_be_changed_here_is_tried_above() -> None:
    """A new page that changes something needs its test of the audit entry."""
    able = {
        model.__name__
        for model, admin in site._registry.items()
        if admin.change_may or admin.add_may or admin.delete_may or admin.actions
    }
    assert able == {"Client", "ClientGroup", "User", "ApiKey"}


# --- dead letters


def test_dead_letters_are_listed_without_anything_of_their_hits(
    owner: Browser, client_a: Client, stream: Any
) -> None:
    hit = make_hit(client_id=client_a.pk, path="/a/secret/path", visitor=5, outcode="GB SW1A")
    bury(stream, "site is unknown or inactive", hit, hit)
    page = text_of(owner.get(url("dead_letters")))
    assert "site is unknown or inactive" in page
    assert "Alpha &amp; Sons" in page
    for word in ("secret", "SW1A"):
        assert word not in page


def test_chosen_letters_go_back_to_their_streams(
    owner: Browser, agency_owner: User, client_a: Client, stream: Any
) -> None:
    hits = [make_hit(client_id=client_a.pk, visitor=number) for number in (1, 2, 3)]
    ids = [bury(stream, f"reason {number}", hit) for number, hit in enumerate(hits)]
    reply = owner.post(url("put_back_dead_letters"), {"id": ids[:2]}, follow=True)
    assert "2 letters are back on the streams" in text_of(reply)
    assert stream.xlen(dead_name(PREFIX)) == 1
    assert [stream.xlen(stream_name(PREFIX, number)) for number in range(4)] == [0, 1, 1, 0]
    ((_, fields),) = stream.xrange(stream_name(PREFIX, 1))
    assert fields == {FIELD: encode_hits([hits[0]])}
    entry = AuditEntry.objects.filter(act="dead_letters.put_back").latest("pk")
    assert (entry.actor, entry.client_id) == (agency_owner.email, client_a.pk)
    owner.post(url("put_back_dead_letters"), {"reason": "reason 2"})
    assert stream.xlen(dead_name(PREFIX)) == 0


def test_letters_are_discarded_after_a_question_and_no_later_one_with_them(
    owner: Browser, agency_owner: User, client_a: Client, stream: Any
) -> None:
    bury(stream, "damage", make_hit(client_id=client_a.pk))
    page = text_of(owner.post(url("ask_dead_letters"), {"reason": "damage"}))
    assert "1 letter with 1 hit will be deleted for good" in page
    assert stream.xlen(dead_name(PREFIX)) == 1
    (ids,) = re.findall(r'name="ids" value="([^"]+)"', page)
    bury(stream, "damage", make_hit(client_id=client_a.pk))
    reply = owner.post(url("discard_dead_letters"), {"ids": ids}, follow=True)
    assert "1 letter is gone for good" in text_of(reply)
    assert stream.xlen(dead_name(PREFIX)) == 1
    entry = AuditEntry.objects.filter(act="dead_letters.discard").latest("pk")
    assert entry.actor == agency_owner.email
    assert entry.details == {"letters": 1, "hits": 1, "reasons": {"damage": 1}}


def test_without_a_choice_nothing_is_touched(owner: Browser, stream: Any) -> None:
    bury(stream, "damage", make_hit())
    for name in ("put_back_dead_letters", "ask_dead_letters", "discard_dead_letters"):
        assert "No letter was chosen" in text_of(owner.post(url(name), follow=True))
        assert owner.get(url(name)).status_code == 405
    assert stream.xlen(dead_name(PREFIX)) == 1


# --- operations


def test_streams_tell_their_length_lag_lease_and_what_is_pending(
    owner: Browser, stream: Any
) -> None:
    name = stream_name(PREFIX, 2)
    stream.xgroup_create(name, GROUP, id="0", mkstream=True)
    old = 1_780_000_000_000
    for number in range(3):
        stream.xadd(name, {FIELD: b"\x90"}, id=f"{old + number * 1_000}-0")
    stream.xreadgroup(GROUP, "p2", {name: ">"}, count=1)
    stream.set(lease_name(PREFIX, 2), "a-writer", px=60_000)
    stream.zadd(f"{PREFIX}:writers", {"a-writer": old / 1_000 + 88})
    now = old / 1_000 + 90
    partitions = operations.read_partitions(stream, now=now)
    two = partitions[2]
    assert (two.length, two.pending, two.unread) == (3, 1, 2)
    assert (two.oldest_s, two.unread_s) == (90.0, 89.0)
    assert (two.holder, two.is_late) == ("a-writer", True)
    assert 50 < two.lease_s <= 60
    assert (partitions[0].length, partitions[0].oldest_s, partitions[0].holder) == (0, None, "")
    (writer,) = operations.read_writers(stream, partitions, now=now)
    assert (writer.name, writer.partitions, round(writer.seen_s)) == ("a-writer", (2,), 2)
    page = text_of(owner.get(url("streams")))
    assert "a-writer" in page
    assert "nobody reads it" in page


def test_spool_files_are_told_with_size_and_age(tmp_path: Path) -> None:
    assert operations.read_spool(tmp_path) == []
    (tmp_path / "1-2.spool").write_bytes(b"x" * 70)
    (tmp_path / "other.txt").write_bytes(b"x")
    (file,) = operations.read_spool(tmp_path)
    assert (file.name, file.size) == ("1-2.spool", 70)
    assert file.age_s < 60


def test_a_job_leaves_its_time_duration_result_and_the_names_of_its_errors(
    owner: Browser, stream: Any
) -> None:
    @app.task(name="tests.counts")  # type: ignore[untyped-decorator]  # celery has no types
    def counts(number: int) -> int:
        if number < 0:
            raise ValueError("a message that quotes somebody@example.com")
        return number

    try:
        counts.apply(args=(7,))
        record = job_records.read_job("tests.counts")
        assert (record.state, record.result, record.runs) == ("SUCCESS", "7", 1)
        assert record.duration_s is not None
        assert record.ended_at is not None
        assert dt.datetime.now(dt.UTC) - record.ended_at < dt.timedelta(minutes=1)
        counts.apply(args=(-1,))
        counts.apply(args=(-1,))
        record = job_records.read_job("tests.counts")
        assert (record.state, record.result, record.runs) == ("FAILURE", "", 3)
        assert record.failures == {"ValueError": 2}
        page = text_of(owner.get(url("jobs")))
        assert "tests.counts" in page
        assert "ValueError" in page
        assert "somebody" not in page
        assert "tests.counts" in text_of(owner.get("/admin/")), "told at a glance"
    finally:
        app.tasks.pop("tests.counts")


def test_a_result_that_is_no_number_or_plain_word_is_not_kept(stream: Any) -> None:
    assert job_records._plain("finished") == "finished"
    for result in ("Mrs Smith", "a@b.example", ["1"], None, {"a": 1}, "x" * 30):
        assert job_records._plain(result) == ""


def test_every_job_of_the_schedule_is_listed_with_its_interval(owner: Browser, stream: Any) -> None:
    jobs = {job.name: job for job in operations.read_jobs()}
    assert jobs["tracking.roll_up_all"].every == "1 min"
    assert jobs["tenants.tasks.destroy_keys"].every == "10 min"
    assert jobs["tracking.copy_days"].every == "24 h"
    assert jobs["tracking.roll_up"].every == ""
    page = text_of(owner.get(url("jobs")))
    assert all(name in page for name in jobs)


def test_a_job_that_did_not_come_is_late(stream: Any) -> None:
    record = job_records.JobRecord("x", None, None, "", "", 0, {}, None)
    assert not operations.Job("x", "1 min", 60.0, record).is_late, "it has not run yet"
    ended = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)
    record = job_records.JobRecord("x", ended, 1.0, "SUCCESS", "", 1, {}, None)
    assert operations.Job("x", "1 min", 60.0, record).is_late
    assert not operations.Job("x", "1 h", 3_600.0, record).is_late
    assert not operations.Job("x", "", None, record).is_late


def test_refusals_of_all_clients_are_summed_by_reason_and_day(owner: Browser, stream: Any) -> None:
    today = dt.datetime.now(dt.UTC).date()
    before = today - dt.timedelta(days=1)
    for day, client_id, reason, number in (
        (today, 1, Reason.BOT, 3),
        (today, 2, Reason.BOT, 4),
        (before, 1, Reason.BOT, 5),
        (today, 0, Reason.HOST, 1),
    ):
        stream.hset(refused_name(PREFIX, day), refused_field(client_id, reason), number)
    found = operations.unscoped_refusals(stream, [before, today])
    assert found == {Reason.BOT: {before: 5, today: 7}, Reason.HOST: {before: 0, today: 1}}
    assert "The sender is a bot" in text_of(owner.get(url("refusals")))


def test_every_reason_has_words() -> None:
    from agency.admin import REASON_WORDS

    assert set(REASON_WORDS) == set(Reason)


def test_the_pages_say_so_when_valkey_is_away(
    owner: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    gone = redis.Redis.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(operations, "valkey", lambda: gone)
    monkeypatch.setattr(job_records, "_valkey", lambda: gone)
    monkeypatch.setattr("tracking.admin._valkey", lambda: gone)
    for name in ("index", "streams", "jobs", "refusals", "dead_letters"):
        reply = owner.get(url(name))
        assert reply.status_code == 200, name
        assert "Valkey does not answer" in text_of(reply), name
    reply = owner.post(url("put_back_dead_letters"), {"reason": "x"}, follow=True)
    assert "nothing was changed" in text_of(reply)


# --- the policy


def test_the_admins_policy_lets_in_no_other_host(owner: Browser) -> None:
    def policy(path: str) -> dict[str, str]:
        text = owner.get(path)["Content-Security-Policy"]
        pairs = (part.strip().partition(" ") for part in text.split(";"))
        return {name: sources for name, _, sources in pairs if name}

    admin, house = policy("/admin/"), policy("/account/")
    assert "unsafe" not in str(house)
    relaxed = {name for name, sources in admin.items() if house.get(name) != sources}
    assert relaxed == {"script-src", "style-src-attr"}
    assert admin["script-src"] == "'self' 'unsafe-eval'"
    assert admin["style-src-attr"] == "'unsafe-inline'"
    assert "http" not in str(admin)
    assert "*" not in str(admin)
