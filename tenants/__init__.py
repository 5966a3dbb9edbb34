"""Whose it is: clients, their sites, schemas, database roles, keys, people and the audit trail.

Imports none of the other packages. Knows nothing of hits, consent or pages.
"""
