"""What happened: script, collector, weblog import, writer, visits, rollups and reports.

Asks `consent` before it keeps a hit; knows nothing of the agency's pages.
"""
