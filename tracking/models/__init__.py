"""Nouns of a client's schema."""

from tracking.models.analysis import (
    Annotation,
    Funnel,
    FunnelStep,
    Goal,
    GoalKind,
    Segment,
    StepKind,
)
from tracking.models.delivery import (
    Alert,
    AlertEvent,
    AlertNotice,
    Recipient,
    ReportDelivery,
    ScheduledReport,
    SharedLink,
)
from tracking.models.imports import Import, ImportState
from tracking.models.raw import Hit, HitDay, Label, Origin, TouchedHour, Visit
from tracking.models.stats import DayStat, Dimension, HourStat, WeekStat

__all__ = [
    "Alert",
    "AlertEvent",
    "AlertNotice",
    "Annotation",
    "DayStat",
    "Dimension",
    "Funnel",
    "FunnelStep",
    "Goal",
    "GoalKind",
    "Hit",
    "HitDay",
    "HourStat",
    "Import",
    "ImportState",
    "Label",
    "Origin",
    "Recipient",
    "ReportDelivery",
    "ScheduledReport",
    "Segment",
    "SharedLink",
    "StepKind",
    "TouchedHour",
    "Visit",
    "WeekStat",
]
