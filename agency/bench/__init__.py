"""Benchmarks: figures as ratios against a baseline of the same run, on the machine at hand.

Owns how the figures are taken, and nothing that runs in production. `manage.py bench` prints them
and writes `var/bench.json`; what was not measured is absent there.
"""
