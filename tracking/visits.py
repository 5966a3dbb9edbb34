"""The visit: what is known of it while hits are sorted into visits."""

import msgspec

from tracking.hits import Hit

GAP_US = 30 * 60 * 1_000_000
"""Longest pause inside a visit, in microseconds."""
LONGEST_US = 24 * 3600 * 1_000_000
"""A hit this long after the start of a visit begins another. Bounds what must be looked up."""
NO_VISIT = 0
"""Visit id of an engagement row whose visit is not known."""

Numbers = tuple[int, int, int, int, int]


class Visit(msgspec.Struct, gc=False):
    """A visit, stored or new. Times are UTC microseconds since 1970; pages are label ids."""

    id: int
    site_id: int
    visitor: int
    started_us: int
    last_us: int
    pageviews: int = 0
    events: int = 0
    engaged_s: int = 0
    entry: int = 0
    exit: int = 0
    bounced: bool = False
    pings: bytes = b""
    """Those kept in the visit (tracking.pings), in the order in which they came."""
    first: Hit | None = None
    """The hit that began it; None for a stored visit."""
    before: Numbers | None = None
    """last_us, pageviews, events, engaged_s and length of `pings` as stored, once hits of this
    batch changed them."""

    def numbers(self) -> Numbers:
        """What `before` keeps of a visit that is about to change."""
        return self.last_us, self.pageviews, self.events, self.engaged_s, len(self.pings)
