"""The writer: takes hits off the stream and stores each exactly once.

`store` is also the way of the weblog import and of seeding. Owns the binary form of rows, the
transaction that stores a batch, and the partitions' leases; knows nothing of HTTP or reports.
"""
