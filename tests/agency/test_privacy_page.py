"""The privacy page says what is in force; a change needs a role and a reason, and acts at once."""

import datetime as dt
import re

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from agency.privacy_words import LABELS, statements
from tenants.keys import Purpose, destroy_due_keys, get_key
from tenants.keystore.models import DataKey
from tenants.models import AuditEntry, PrivacySettings
from tenants.privacy import PRESETS, SETTINGS, Value, change_privacy, history_of, losses_of
from tests.walking import browser_of
from tracking.collector.config import KeyRing, read_config

REASON = "The client asked for it in the meeting of 3 May."


def fields_of(client, **changes):
    """The form as the page shows it, with something changed."""
    settings = PrivacySettings.objects.get(client=client)
    entered = {name: getattr(settings, name) for name in SETTINGS} | changes
    return {name: ("on" if value else "") if isinstance(value, bool) else str(value)
            for name, value in entered.items() if value is not False}  # fmt: skip


def host_of(client):
    return f"{client.slug}.localhost"


def test_members_read_what_is_collected_and_only_the_privacy_officer_changes_it(
    client_a, viewer_a, manager_a, analyst, privacy_officer
):
    for person in (viewer_a, manager_a, analyst):
        browser = browser_of(person, host_of(client_a))
        page = browser.get("/privacy/").content.decode()
        assert "destroyed 24 hours after the day" in page
        assert 'name="reason"' not in page
        assert browser.post("/privacy/change/", fields_of(client_a)).status_code == 403
    page = browser_of(privacy_officer, host_of(client_a)).get("/privacy/").content.decode()
    assert 'name="reason"' in page


def test_a_change_is_in_force_and_in_the_history(new_client, privacy_officer, valkey):
    client = new_client()
    browser = browser_of(privacy_officer, host_of(client))
    heard = valkey.pubsub()
    heard.subscribe("outward:config")
    heard.get_message(timeout=2)
    reply = browser.post(
        "/privacy/change/",
        {**fields_of(client, ip_mode="none", k_threshold=8, keep_outcode=False), "reason": REASON},
    )
    assert reply.status_code == 302
    assert heard.get_message(timeout=2) is not None, "collectors are told"
    heard.close()
    config = read_config(KeyRing(), timezone.now())
    found = config.hosts[host_of(client)].client
    assert (found.ip_mode, found.keep_outcode) == ("none", False)
    page = browser.get("/privacy/").content.decode()
    assert "Not kept in any form." in page
    assert "fewer than 8 visitors" in page
    assert REASON in page
    assert "Encrypted, readable only through a recorded disclosure → Not kept" in page
    entry = AuditEntry.objects.get(act="privacy.change", client_id=client.pk)
    assert entry.actor == privacy_officer.email
    assert entry.details == {
        "from": {"ip_mode": "encrypted", "keep_outcode": True, "k_threshold": 5},
        "to": {"ip_mode": "none", "keep_outcode": False, "k_threshold": 8},
        "reason": REASON,
    }


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("k_threshold", "1", "greater than or equal to 2"),
        ("ip_retention_days", "401", "less than or equal to 400"),
        ("hits_retention_days", "0", "greater than or equal to 1"),
        ("cookie_mode", "always", "Select a valid choice"),
        ("reason", "", "required"),
        ("reason", "no", "Say in a sentence why"),
    ],
)
def test_a_wrong_value_is_refused_beside_its_field(new_client, privacy_officer, field, value, said):
    client = new_client()
    before = PrivacySettings.objects.filter(client=client).values().get()
    entered = {**fields_of(client, k_threshold=9), "reason": REASON, field: value}
    reply = browser_of(privacy_officer, host_of(client)).post("/privacy/change/", entered)
    page = reply.content.decode()
    assert reply.status_code == 422
    assert said in page
    assert f'name="{field}"' in page
    assert PrivacySettings.objects.filter(client=client).values().get() == before
    assert not AuditEntry.objects.filter(act="privacy.change", client_id=client.pk).exists()


def test_a_shorter_retention_says_what_is_destroyed_and_asks_once_more(new_client, privacy_officer):
    client = new_client()
    now = timezone.now()
    days = [now.date() - dt.timedelta(days=ago) for ago in range(20)]
    for day in days:
        get_key(client.pk, Purpose.IP, day)
    browser = browser_of(privacy_officer, host_of(client))
    entered = {**fields_of(client, ip_retention_days=7), "reason": REASON}
    page = browser.post("/privacy/change/", entered).content.decode()
    assert "addresses of 12 days" in page
    assert "Nobody can bring them back" in page
    assert PrivacySettings.objects.get(client=client).ip_retention_days == 30
    mark = re.search(r'name="confirmed" value="([^"]*)"', page)
    assert mark is not None
    wrong = browser.post("/privacy/change/", {**entered, "confirmed": "something else"})
    assert "destroys data" in wrong.content.decode()
    reply = browser.post("/privacy/change/", {**entered, "confirmed": mark[1]})
    assert reply.status_code == 302
    destroy_due_keys(timezone.now(), client_id=client.pk)
    left = DataKey.objects.filter(
        client_id=client.pk, purpose=Purpose.IP, destroyed_at__isnull=True
    )
    assert set(left.values_list("epoch", flat=True)) == set(days[:8])


def test_a_longer_retention_keeps_the_promise_of_what_is_there(new_client):
    client = new_client()
    now = timezone.now()
    key = get_key(client.pk, Purpose.IP, now.date())
    due = DataKey.objects.get(pk=key.id).destroy_after
    change_privacy(client, {"ip_retention_days": 90}, reason=REASON, acting_user="tests", now=now)
    assert DataKey.objects.get(pk=key.id).destroy_after == due
    tomorrow = now + dt.timedelta(days=1)
    with time_machine.travel(tomorrow, tick=False):
        later = get_key(client.pk, Purpose.IP, tomorrow.date())
    day_ends = dt.datetime.combine(tomorrow.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
    assert DataKey.objects.get(pk=later.id).destroy_after == day_ends + dt.timedelta(days=90)


def test_fewer_days_of_hits_are_a_loss_and_more_are_not(new_client):
    client, now = new_client(), timezone.now()
    assert (
        losses_of(client, {"hits_retention_days": 90}, now=now).hits_before
        == (now - dt.timedelta(days=90)).date()
    )
    assert not losses_of(client, {"hits_retention_days": 800, "ip_retention_days": 60}, now=now)


def test_nothing_is_recorded_when_nothing_differs(new_client):
    client, now = new_client(), timezone.now()
    same: dict[str, Value] = {"k_threshold": 5, "ip_mode": "encrypted"}
    assert change_privacy(client, same, reason=REASON, acting_user="tests", now=now) is None
    assert history_of(client) == []
    with pytest.raises(ValidationError):
        change_privacy(client, {"k_threshold": 6}, reason="", acting_user="tests", now=now)


def test_each_preset_is_valid_and_the_page_describes_it(new_client):
    client = new_client()
    settings = PrivacySettings.objects.get(client=client)
    said = {}
    for name, values in PRESETS.items():
        assert set(values) == set(SETTINGS) == set(LABELS)
        for field, value in values.items():
            setattr(settings, field, value)
        settings.full_clean(exclude=["client"])
        said[name] = " ".join(one.what for one in statements(settings))
    assert "No cookie is ever set" in said["closed"]
    assert "outward half" in said["statistics"]
    assert "Not kept, not even its outward half" in said["closed"]
    assert "Encrypted before it is stored" in said["usual"]
    assert len(set(said.values())) == 3


def test_the_description_follows_every_switch(new_client):
    """A setting that no word depends on would be a promise that nobody can read."""
    settings = PrivacySettings.objects.get(client=new_client())
    base = statements(settings)
    others = {
        "ip_mode": "truncated", "ip_retention_days": 3, "keep_outcode": False, "zip_mode": "zip5",
        "cookie_mode": "exempt", "honour_gpc": False, "honour_dnt": False, "k_threshold": 11,
        "hits_retention_days": 100,
    }  # fmt: skip
    assert set(others) == set(SETTINGS)
    for name, value in others.items():
        before = getattr(settings, name)
        setattr(settings, name, value)
        assert statements(settings) != base, name
        setattr(settings, name, before)
