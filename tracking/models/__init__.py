"""Nouns of a client's schema."""

from tracking.models.imports import Import, ImportState
from tracking.models.raw import Hit, Label, Origin, TouchedHour, Visit
from tracking.models.stats import DayStat, Dimension, HourStat

__all__ = [
    "DayStat",
    "Dimension",
    "Hit",
    "HourStat",
    "Import",
    "ImportState",
    "Label",
    "Origin",
    "TouchedHour",
    "Visit",
]
