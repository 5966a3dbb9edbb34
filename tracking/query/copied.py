"""Hits out of copies of days (tracking.rollups.copies), in the form of `reading`. Pure."""

import numpy as np

from tracking.hits import Kind
from tracking.query.arrays import is_new, places
from tracking.rollups.copies import KIND_BITS, Copy
from tracking.rollups.hours import SECOND, Ints

_KIND = (1 << KIND_BITS) - 1
_NAMED = {
    "paths": "path",
    "names": "name",
    "scrolls": "scroll",
    "statuses": "event:status",
}
"""Columns that are hits' as they are."""


def columns_of_copies(
    *, with_paths: bool, with_names: bool, with_scroll: bool, with_status: bool
) -> list[str]:
    """Columns of a copy that are needed."""
    asked = {
        "paths": with_paths,
        "names": with_names,
        "scrolls": with_scroll,
        "statuses": with_status,
    }
    return ["visits", "seconds", "what", *(name for name, is_asked in asked.items() if is_asked)]


def hits_of_copy(copy: Copy, visit_ids: Ints, *, engaged: bool, pings: bool) -> dict[str, Ints]:
    """Those of the copied hits that are of these visits (ascending ids), with what was read.

    `engaged` asks for engaged seconds; without `pings` rows that only add to a page are left out.
    """
    visit = copy.column("visits")
    # The rows of a visit lie together: each visit is looked for once.
    begins = np.flatnonzero(is_new(visit))
    _, known = places(visit_ids, visit[begins])
    keep = np.repeat(known, np.diff(np.append(begins, visit.size)))
    what = copy.column("what")
    if not pings:
        keep &= what & _KIND != int(Kind.ENGAGEMENT)
    what = what[keep]
    hits = {
        "visit_id": visit[keep],
        "at": copy.starts_us + copy.column("seconds")[keep] * SECOND,
        "kind": what & _KIND,
    }
    if engaged:
        hits["engaged_s"] = what >> KIND_BITS
    return hits | {
        name: copy.column(packed)[keep] for packed, name in _NAMED.items() if packed in copy.packed
    }
