"""What is permitted: whether a hit may be kept, and whether a visitor may be recognised.

Knows clients and their privacy settings; never hears of hits, visits or reports.
"""
