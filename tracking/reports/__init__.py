"""Reading a site's rollups: totals, series, the most frequent values, who is there now.

Every query takes the site first, is called inside `tenants.schemas.entered(client)`, returns
frozen dataclasses and writes nothing. What the numbers count is said in tracking.rollups.
Numbers are as of the last rollup, a minute ago; only `live` reads raw rows.

Periods are days of the site's time zone. *Visitors* of a period are the union of its days'
sketches: each consenting visitor once, each cookieless one once a day (design.md, section 3).
"""
