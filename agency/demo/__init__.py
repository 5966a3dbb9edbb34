"""The demo: three made-up clients with websites of their own, people to log in as, and a history.

Owns what the demo says and shows. Nothing outside this package and the demo's commands may need
it: a production installation never seeds it, and HostMiddleware does not serve it there.
"""
