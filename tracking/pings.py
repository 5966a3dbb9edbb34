"""The form of a ping in its visit's row. Pure.

A ping adds seconds and a scroll depth to a page that was counted already: it is no hit of its own
(design, section 3). Nearly half of what browsers send are pings, and each changes its visit's row
anyway. So it becomes 14 bytes in the column `visits.pings`, instead of a row of `hits` with an
entry in an index:

- 8 bytes: microseconds since `GAP_US` before the visit's start (37 bits), engaged seconds (17),
  scroll depth in percent (7);
- 4 bytes: label of the path (31 bits);
- 2 bytes: the last ones of the hit's id.

All big-endian. Within its visit they name the ping: one that comes a second time is known by
them. Which pings are kept so, tracking.sessions says; tracking.raw_rows reads them in SQL.
"""

import struct

import numpy as np

from tracking.columns import Bytes, Ints
from tracking.hits import Hit

SIZE, PATH_AT = 14, 8
MOST_PINGS = 64
"""Of a visit, so that its row stays below the 2 kB from which PostgreSQL stores parts elsewhere."""
TIME_SHIFT, SECONDS_SHIFT = 24, 7

_PING = np.dtype([("what", ">i8"), ("path", ">i4"), ("id", ">u2")])
_pack = struct.Struct(">QI2s").pack


def pack_ping(since_us: int, hit: Hit, path: int) -> bytes:
    """A ping by its time, from 0 to 2^37 - 1, and the label of its path."""
    what = since_us << TIME_SHIFT | hit.engaged_s << SECONDS_SHIFT | hit.scroll
    return _pack(what, path, hit.id[14:])


def pack_pings(since_us: Ints, engaged_s: Ints, scroll: Bytes, path: Ints, tag: Ints) -> bytes:
    """The same of many at once; `tag` as `tracking.hits.tag_of`."""
    pings = np.empty(len(since_us), _PING)
    pings["what"] = since_us << TIME_SHIFT | engaged_s << SECONDS_SHIFT | scroll
    pings["path"] = path
    pings["id"] = tag & 0xFFFF
    return pings.tobytes()


def has_ping(pings: bytes, ping: bytes) -> bool:
    """Whether one of the pings is this one."""
    found = pings.find(ping)
    while found > 0 and found % SIZE:
        found = pings.find(ping, found + 1)
    return found >= 0
