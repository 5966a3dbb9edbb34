"""Which hits no row may hold, and why. Pure.

The collector and the import make valid hits; this guards the tables against a defect, another
version or a damaged stream. Numbers are checked here because the binary rows cannot: a length
and a value are packed together.
"""

from collections.abc import Container, Sequence
from collections.abc import Set as AbstractSet

from tracking.columns import Columns
from tracking.hits import MAX_ENGAGED_S, Hit

EARLIEST_US = 631_152_000_000_000
"""1990: no log is older."""
AHEAD_US = 24 * 3600 * 1_000_000
"""A clock may be wrong by a day, not more."""
INT_MAX = 2_147_483_647
LONG_MAX = 9_223_372_036_854_775_807
SEALED_MAX = 1_000
PROPS_MAX = 100
TEXT_MAX = 10_000


def invalid_hits(hits: Sequence[Hit], sites: Container[int], now_us: int) -> list[tuple[int, str]]:
    """Index and reason of each hit that may not be stored; the reason holds nothing of it."""
    latest = now_us + AHEAD_US
    found = []
    for index, hit in enumerate(hits):
        # One condition for what nearly all hits are; the reason is looked for only if it fails.
        # Joined by `|`, numbers are all in 0..2^31-1 exactly if the result is.
        if (
            len(hit.id) == 16
            and EARLIEST_US <= hit.at_us <= latest
            and hit.site_id in sites
            and -LONG_MAX <= hit.visitor <= LONG_MAX
            and 0 <= (hit.bytes_sent | hit.import_id | hit.ip_key_id) <= INT_MAX
            and 0 <= (hit.kind - 1 | hit.scroll | hit.status | hit.engaged_s) <= MAX_ENGAGED_S
            and hit.kind < 7
            and hit.scroll <= 100
            and hit.status <= 999
            and not hit.props
            and len(hit.ip_sealed) <= SEALED_MAX
        ):
            continue
        reason = _reason(hit, sites, latest)
        if reason:
            found.append((index, reason))
    return found


def are_placed(hits: Columns, sites: AbstractSet[int], now_us: int) -> bool:
    """Whether decoded hits are of these sites and of a time that may be.

    The rest is checked where they are decoded.
    """
    return not len(hits) or (
        int(hits.at_us.min()) >= EARLIEST_US
        and int(hits.at_us.max()) <= now_us + AHEAD_US
        and set(hits.site_id.tolist()) <= sites
    )


def _props_fit(props: dict[str, str]) -> bool:
    return len(props) <= PROPS_MAX and sum(map(len, props.values())) <= TEXT_MAX


def _reason(hit: Hit, sites: Container[int], latest: int) -> str:
    rules = (
        ("id is not 16 bytes", len(hit.id) != 16),
        ("time is before 1990 or ahead of the clock", not EARLIEST_US <= hit.at_us <= latest),
        ("kind is unknown", not 1 <= hit.kind <= 6),
        ("site is unknown or inactive", hit.site_id not in sites),
        ("visitor is not 64 bits", not -LONG_MAX - 1 <= hit.visitor <= LONG_MAX),
        ("engaged_s is out of range", not 0 <= hit.engaged_s <= MAX_ENGAGED_S),
        ("scroll is out of range", not 0 <= hit.scroll <= 100),
        ("status is out of range", not 0 <= hit.status <= 999),
        ("bytes_sent is out of range", not 0 <= hit.bytes_sent <= LONG_MAX),
        ("import_id is out of range", not 0 <= hit.import_id <= INT_MAX),
        ("ip_key_id is out of range", not 0 <= hit.ip_key_id <= INT_MAX),
        ("ip_sealed is too long", len(hit.ip_sealed) > SEALED_MAX),
        ("props are too many or too long", bool(hit.props) and not _props_fit(hit.props or {})),
    )
    return next((reason for reason, broken in rules if broken), "")
