"""The promises of design.md section 2, each tried on the running product.

Numbers as there. Files of their own have 7, which kills processes (tracking/test_exactly_once.py),
raw rows of 5 (tracking/test_raw_retention.py) and what the privacy page says of 8
(agency/test_privacy_words.py). 6 and the policy of 8 come with disclosures.
"""

import base64
import datetime as dt
import gzip
import ipaddress
import itertools
import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from agency.embedded_urls import postgres_url
from agency.postgres_account import POSTGRES_BIN
from tests.stack import Stack, running

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
MARKED = [
    "203.0.113.77",
    "198.51.100.201",
    "2001:db8:dead:beef:1234:5678:9abc:def0",
    "::ffff:192.0.2.199",
]
"""Documentation addresses (RFC 5737, RFC 3849): nobody's, and found nowhere by chance."""
INWARD = ["1AA", "9ZZ", "4QQ"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two clients and every process."""
    var = tmp_path_factory.mktemp("promise") / "var"
    with running(var, OUTWARD_TRUSTED_PROXIES="127.0.0.0/8", OUTWARD_LOG_LEVEL="DEBUG") as stack:
        stack.manage("create_client", "north", "North Ltd", "www.north.example")
        stack.manage("create_client", "south", "South Ltd", "www.south.example")
        stack.start_web()
        stack.start_writer()
        stack.start_worker()
        stack.wait_until_web_answers()
        yield stack


def site_key(stack: Stack, slug: str) -> str:
    """Public key of the client's first site."""
    query = (
        "SELECT s.key FROM tenants_site s JOIN tenants_client c ON c.id = s.client_id "
        "WHERE c.slug = %s"
    )
    return str(stack.rows(query, slug)[0][0])


def send(stack: Stack, slug: str, address: str, **fields: object) -> int:
    """One hit from an address, as a browser behind a trusted proxy sends it."""
    hit = {
        "site": site_key(stack, slug),
        "kind": "pageview",
        "url": f"https://www.{slug}.example/",
        **fields,
    }
    with stack.http(f"{slug}.localhost") as visitor:
        reply = visitor.post(
            "/collect",
            content=json.dumps(hit),
            headers={
                "X-Forwarded-For": address,
                "User-Agent": AGENT,
                "Origin": f"https://www.{slug}.example",
            },
        )
    return reply.status_code


def stored(stack: Stack, slug: str) -> int:
    """Rows of the client's hits."""
    return int(str(stack.rows(f"SELECT count(*) FROM c_{slug}.hits")[0][0]))


def forms_of(address: str) -> dict[str, bytes]:
    """Every textual and packed form in which an address could have been written down."""
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    all_forms: dict[str, bytes] = {}
    for one in filter(None, (parsed, mapped)):
        packed = one.packed
        number = int(one)
        texts = {
            str(one),
            one.exploded,
            one.compressed,
            one.reverse_pointer,
            packed.hex(),
            packed.hex(":"),
            f"{number:x}",
            str(number),
            base64.b64encode(packed).decode(),
            base64.urlsafe_b64encode(packed).decode(),
            "\\x" + packed.hex(),
            ".".join(reversed(str(one).split("."))),
        }
        for text in texts:
            for variant in {text, text.upper(), text.rstrip("=")}:
                if len(variant) >= 7:
                    all_forms[f"{variant!r}"] = variant.encode()
                    all_forms[f"{variant!r} in UTF-16"] = variant.encode("utf-16-le")
        all_forms[f"packed {packed.hex()}"] = packed
        all_forms[f"packed backwards {packed.hex()}"] = packed[::-1]
    return all_forms


def files_of(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Everything that the product has written outside the databases' own binary pages."""
    for path in sorted(stack.var.rglob("*")):
        relative = path.relative_to(stack.var)
        in_database = relative.parts[0] == "postgres" and "log" not in relative.parts
        if path.is_file() and not in_database:
            yield str(relative), path.read_bytes()


def dumps_of(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """All databases as text, every bytea as hexadecimal and as the bytes it stands for."""
    for database in ("outward", "outward_keys"):
        dump = subprocess.run(
            [POSTGRES_BIN / "pg_dump", postgres_url(stack.var, database, "postgres")],
            capture_output=True,
            check=True,
        ).stdout
        yield f"dump of {database}", dump
        values = (bytes.fromhex(h.decode()) for h in re.findall(rb"\\\\x((?:[0-9a-f]{2})+)", dump))
        for number, value in enumerate(values):
            yield f"bytea {number} of {database}", value


def findings(stack: Stack, needles: dict[str, bytes]) -> list[str]:
    """Where any of the needles stands."""
    found = []
    for place, content in itertools.chain(files_of(stack), dumps_of(stack)):
        if place.endswith(".gz"):
            content = gzip.decompress(content)
        for name, needle in needles.items():
            if needle in content:
                found.append(f"{name} in {place}")
    return found


def test_promise_1_a_raw_address_is_nowhere(stack: Stack) -> None:
    before = stored(stack, "north")
    for address in MARKED:
        assert send(stack, "north", address, outcode="SW1A") == 202
        # Addresses also come in places where nobody meant them to be.
        assert (
            send(
                stack,
                "north",
                address,
                url=f"https://www.north.example/from/{address}",
                name=address,
                props={"ip": address},
                referrer=f"https://{address}/x",
                kind="event",
            )
            == 202
        )
        # What cannot be accepted must not be written down either.
        assert send(stack, "north", address, url="https://elsewhere.example/") == 403
        assert send(stack, "north", address, kind="nonsense") == 400
        assert send(stack, "north", f"{address}, garbage") in {202, 400}
    stack.wait_for("the hits are stored", lambda: stored(stack, "north") >= before + 8)
    sealed = stack.rows("SELECT ip_sealed FROM c_north.origins WHERE ip_sealed IS NOT NULL")
    assert sealed, "the addresses were encrypted, so that there is something to look for"
    needles: dict[str, bytes] = {}
    for address in MARKED:
        needles |= forms_of(address)
    assert len(needles) > 60
    assert findings(stack, needles) == []


def test_the_search_of_promise_1_finds_what_is_there(stack: Stack) -> None:
    address = "203.0.113.250"
    for number, form in enumerate((address.encode(), ipaddress.ip_address(address).packed)):
        leak = stack.var / f"leak-{number}.txt"
        leak.write_bytes(b"before " + form + b" after")
        try:
            assert findings(stack, forms_of(address)), form
        finally:
            leak.unlink()
    row = (
        "INSERT INTO public.tenants_auditentry (at, actor, act, details) "
        "VALUES (now(), 'tests', 'leak', %s) RETURNING id"
    )
    details = json.dumps({"address": address})
    (entry,) = stack.rows(row, details)[0]
    assert findings(stack, forms_of(address))
    stack.rows("DELETE FROM public.tenants_auditentry WHERE id = %s RETURNING id", entry)


def test_promise_2_only_the_outward_half_is_stored(stack: Stack) -> None:
    before = stored(stack, "south")
    for number, inward in enumerate(INWARD):
        for form in (f"SW1A {inward}", f"sw1a{inward.lower()}", f"M1 {inward}"):
            assert (
                send(
                    stack,
                    "south",
                    f"192.0.2.{number + 1}",
                    outcode=form,
                    url=f"https://www.south.example/to/{form.replace(' ', '-')}",
                    kind="event",
                    name=form,
                    props={"to": form},
                )
                == 202
            )
    stack.wait_for("the hits are stored", lambda: stored(stack, "south") >= before + 9)
    outcodes = stack.rows(
        "SELECT DISTINCT l.value FROM c_south.origins o JOIN c_south.labels l ON l.id = o.outcode"
    )
    assert {row[0] for row in outcodes} <= {"GB SW1A", "GB M1"}
    assert outcodes
    texts = [str(row[0]) for row in stack.rows("SELECT value FROM c_south.labels")]
    texts += [
        str(row[0]) for row in stack.rows("SELECT props FROM c_south.hits WHERE props IS NOT NULL")
    ]
    full = re.compile(r"(SW1A|M1)[^0-9A-Z]{0,3}\d[A-Z]{2}", re.IGNORECASE)
    assert [text for text in texts if full.search(text)] == []


def test_promise_3_no_cookie_without_consent_and_no_value_stored(stack: Stack) -> None:
    value = "0123456789abcdef0123456789abcdef"
    with stack.http("south.localhost") as visitor:
        for path in ("/outward.js", f"/pixel.gif?site={site_key(stack, 'south')}"):
            reply = visitor.get(path, headers={"User-Agent": AGENT})
            assert reply.status_code == 200
            assert "set-cookie" not in reply.headers
        hit = {
            "site": site_key(stack, "south"),
            "kind": "pageview",
            "cookie": value,
            "url": "https://www.south.example/with-consent",
        }
        reply = visitor.post(
            "/collect",
            content=json.dumps(hit),
            headers={"User-Agent": AGENT, "X-Forwarded-For": "192.0.2.90"},
        )
        assert reply.status_code == 202
        assert "set-cookie" not in reply.headers
    stack.wait_for(
        "the visit is stored",
        lambda: stack.rows("SELECT 1 FROM c_south.visits WHERE consented"),
    )
    needles = {"cookie text": value.encode(), "cookie bytes": bytes.fromhex(value)}
    assert findings(stack, needles) == []


def test_promise_4_a_key_of_one_client_brings_nothing_to_another(stack: Stack) -> None:
    before = stored(stack, "south"), stored(stack, "north")
    hit = {
        "site": site_key(stack, "south"),
        "kind": "pageview",
        "url": "https://www.south.example/",
    }
    with stack.http("north.localhost") as visitor:
        reply = visitor.post("/collect", content=json.dumps(hit), headers={"User-Agent": AGENT})
    assert reply.status_code == 403
    assert send(stack, "north", "192.0.2.44", url="https://www.north.example/later") == 202
    stack.wait_for("the later hit is stored", lambda: stored(stack, "north") > before[1])
    assert stored(stack, "south") == before[0]


def test_promise_5_an_address_is_unreadable_once_its_key_is_destroyed(stack: Stack) -> None:
    assert send(stack, "north", "192.0.2.200", url="https://www.north.example/to-be-erased") == 202
    query = (
        "SELECT o.ip_key_id, encode(o.ip_sealed, 'hex'), o.visit_id FROM c_north.origins o "
        "JOIN c_north.hits h ON h.visit_id = o.visit_id JOIN c_north.labels l ON l.id = h.path "
        "WHERE l.value = '/to-be-erased'"
    )
    stack.wait_for("the visit is stored", lambda: stack.rows(query))
    key_id, sealed, visit_id = stack.rows(query)[0]
    opening = (
        "from tenants.keys import find_key\n"
        "from tenants.crypto import associated_data, unseal\n"
        "from tenants.models import Client\n"
        "client = Client.objects.get(slug='north')\n"
        f"row = ({visit_id}).to_bytes(8, 'big')\n"
        "place = associated_data(client.pk, 'origins', 'ip_sealed', row)\n"
        f"sealed = bytes.fromhex('{sealed}')\n"
        f"print(unseal(find_key({key_id}).secret, sealed, place).hex())\n"
    )
    assert stack.python(opening).strip() == ipaddress.ip_address("192.0.2.200").packed.hex()
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=32)
    stack.python(
        "import datetime as dt\nfrom tenants.keys import destroy_due_keys\n"
        f"print(destroy_due_keys(dt.datetime.fromisoformat('{later.isoformat()}')))\n"
    )
    with pytest.raises(AssertionError, match="KeyDestroyedError"):
        stack.python(opening)
