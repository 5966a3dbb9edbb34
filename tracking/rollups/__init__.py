"""Hour, day and week sums of a client's raw rows: what each counts, and how they are made.

Words as in design.md, section 3: *hit*: "one page view or custom event"; *visit*: "the hits of
one visitor with gaps of at most 30 minutes"; *bounce*: "a visit with one page view and no
interactive event"; *duration*: "last activity minus first, in seconds"; *engaged time*: "seconds
in which the page was visible and focused"; "hours and days of reports are cut in the site's
timezone (also where it is not a whole number of hours from UTC)".

**Columns** of a row (site, dimension, hour or day, label):

- `pageviews`: hits of kind page view or 404. `events`: hits of kind event, outbound, download.
  Both, with `bytes_sent` and `engaged_s`, belong to the hour of the hit. An engagement row is no
  hit: it adds engaged seconds to its hour, and nothing else; one without a visit adds nothing.
- `visits`, `bounces`, `duration_s`: in the hour in which the visit starts.
- `visitors`: sketch (tracking.sketches) of the visitors with a hit in the hour.

**Dimensions of the visit** (total, source, channel, campaign, country, region, browser, operating
system, device, language): a hit counts under its visit's value. A value that is not set is left
out, but for the source, where it is *direct*.

**Dimensions of the whole visit** (entry page, exit page, outcode): these may change while the
visit lasts, so all its numbers count in the hour in which it starts, its visitor too. There are
no `bytes_sent`.

**Dimensions of the hit** (page, event, outbound, download, page not found, status): a hit counts
under its own value; `visits` counts a visit once per value, in the hour of its first such hit, so
sums over hours and days count no visit twice. A visit's bounce counts with its page. There is no
`duration_s`. A page's `events` are those that happened on it, its `visits` and `visitors` those
who viewed it. The label of a status is the code itself, not an id of `labels`.

**Frequent values**: an hour keeps a dimension's 1,000 most frequent values (visits, then hits,
then smaller label), a day 5,000 of what its hours kept; the rest is summed under *other*
(`tracking.models.raw.OTHER`), where a visit counts once for each value.

**Hours**: an hour begins when the site's clock shows a full hour, or is changed. When clocks go
back an hour, the repeated hour is an hour of its own; where they move by half an hour (Lord
Howe), the hours beside the change are shorter. The key of an hour is its first instant.

**Days** are merged from their hours: sums, and unions of sketches. **Weeks** (Monday to Sunday)
that are over are merged from their days in the same way, and fold nothing: they say what their
days say, in fewer rows. A week whose days change is taken away in the same transaction and merged
again when all of them are done; until then its days are read.

Modules: `hours` cuts time, `reading` fetches raw rows, `counting` counts them, `storing` replaces
the rows, `weeks` merges weeks, `copies` keeps a day's hits for filters, `run` does a client's
touched hours.
"""
