"""Formats of web server logs: from the bytes of a line to an `Entry`.

Pure: no settings, no database, no clock. Every parser takes a line without its line end.
"""
