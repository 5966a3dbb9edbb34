"""The statistics API on a client's host: keys in, numbers out.

Requests and replies have the form of Plausible's Stats API v2
(https://plausible.io/docs/stats-api), so that its clients work with another address. What differs
is said in the reference page, which is made of `schema`. Errors are problem details (RFC 9457).

`requests` reads what was sent, tracking.query answers, `replies` writes it. The views know nothing
of people: a key reads statistics of its client's sites, and obeys the client's k-threshold.
"""
