"""Web server logs as a source of hits: the collector's path without the network.

Owns reading (compression, encodings, rotation), the formats, what is skipped and why, and the
summary that accounts for every line. Storing is the writer's (tracking.writer). A raw line lives
in the memory of the reading process and of its workers, never in a file, a message or a table.
"""
