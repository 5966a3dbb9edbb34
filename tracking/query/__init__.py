"""One query engine for pages, CSV, API and mails: metrics of a period by dimensions and filters.

`model` says what may be asked, `text` reads and writes filters, `run` answers. What is not
filtered, and asks for at most one stored dimension, comes from the rollups (`stored`); everything
else is counted from raw rows while they live (`sql` selects, `reading` fetches, `counting` counts).

**Words** are those of tracking.rollups, and the same question has the same answer from both:
visitors from sketches (tracking.sketches) are exact up to 190 and within 1.6 % beyond, from raw
rows always exact.

**Filters.** A condition of the visit (`visit:*`) is true of a visit and of all its hits. A
condition of the hit (`event:*`) is true of a hit: a page view or event, or a row of engaged time,
which counts only where seconds and scroll depth are summed. A filter is asked of each hit together
with its visit. Then

- *selected hits* are those of which the filter is true. Page views, events, engaged seconds and
  visitors of the period are those of selected hits in the period;
- *selected visits* are those with at least one selected page view or event, whenever in the visit
  it was. Visits, bounces and durations are those of selected visits that start in the period.

So `is event:page /x` selects visits that saw /x, `is_not event:page /x` visits that saw another
page, and `has_not_done` of it visits that never saw /x. `has_done` and `has_not_done` are
conditions of the visit. Goals of pages and events are conditions of the hit; those of outcodes,
engaged time and scroll depth are conditions of the visit.

**Grain.** Page views, events, engaged time and visitors belong to the time of the hit, visits to
the time they start. Where an entry page, exit page or outcode is asked for, everything of a visit
belongs to the time it starts. Where a dimension of the hit is asked for, a visit counts once per
value, at its first selected hit of that value. A page's visits and visitors are those who viewed
it, its events those that happened on it. A bounce counts with the page that the visit entered on.
Values that are not set are left out, but for the source, where they are *direct*.

**Threshold.** See tracking.reports.thresholds: a row of an outcode, or of two crossed dimensions
(grouped by, or filtered on), of fewer than k visitors is folded into *other*.
"""
