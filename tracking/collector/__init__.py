"""The collector: takes hits from browsers, forgets who sent them, and puts them on the stream.

An ASGI application of its own (`app`), without Django's middleware. Owns the only moments in which
a raw IP address is in memory (`enrich`). Knows clients through a snapshot (`config`), and answers
only when a hit is durable (`intake`, `spool`).
"""
