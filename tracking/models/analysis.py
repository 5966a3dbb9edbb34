"""What people define in order to read their site: goals, funnels, segments, annotations.

Sites and users are plain ids: they live in the public schema.
"""

from typing import ClassVar

from django.db import models

MAX_MATCH = 500
"""Longest path pattern, event name or list of outcodes, in characters."""
MAX_NAME = 80


class GoalKind(models.TextChoices):
    """What reaching a goal means."""

    PAGE = "page", "Visited a page"
    EVENT = "event", "Triggered an event"
    OUTCODE = "outcode", "Came from an outward code"
    SCROLL = "scroll", "Scrolled down a page"
    ENGAGED = "engaged", "Stayed engaged"


class StepKind(models.TextChoices):
    """What a step of a funnel asks for."""

    PAGE = "page", "Visited a page"
    EVENT = "event", "Triggered an event"
    GOAL = "goal", "Reached a goal"


class _Matching(models.Model):
    """What a visitor must have done. Fields that the kind does not use are empty or 0."""

    match = models.CharField(max_length=MAX_MATCH, default="", blank=True)
    """Path pattern (page, scroll), event name, or outcodes with commas; `*` is any text."""
    property_name = models.CharField(max_length=80, default="", blank=True)
    """Property that an event must have; "" asks for none."""
    property_value = models.CharField(max_length=200, default="", blank=True)
    """Value of that property; `*` is any text."""

    class Meta:
        abstract = True


class Goal(_Matching):
    """Something a visitor of a site should do."""

    site_id = models.IntegerField()
    name = models.CharField(max_length=MAX_NAME)
    kind = models.CharField(max_length=8, choices=GoalKind.choices)
    least = models.IntegerField(default=0)
    """Percent of the page (scroll) or seconds (engaged) that must be reached."""
    is_archived = models.BooleanField(default=False)
    """Hidden from lists and reports; funnels that use it go on."""
    created_at = models.DateTimeField()

    class Meta:
        db_table = "goals"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site_id", "name"], name="goals_name_once"),
            models.CheckConstraint(
                condition=models.Q(least__gte=0, least__lte=86_400), name="goals_least_in_range"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Funnel(models.Model):
    """Steps that a visit should take in order."""

    site_id = models.IntegerField()
    name = models.CharField(max_length=MAX_NAME)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "funnels"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site_id", "name"], name="funnels_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class FunnelStep(_Matching):
    """One step of a funnel; `position` counts from 0 without gaps."""

    funnel = models.ForeignKey(Funnel, on_delete=models.CASCADE, related_name="steps")
    position = models.SmallIntegerField()
    kind = models.CharField(max_length=8, choices=StepKind.choices)
    goal = models.ForeignKey(
        Goal, null=True, blank=True, on_delete=models.PROTECT, related_name="steps"
    )
    """The goal of a step of kind `goal`; None otherwise."""

    class Meta:
        db_table = "funnel_steps"
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["funnel", "position"], name="funnel_steps_in_order"),
            models.CheckConstraint(
                condition=models.Q(kind="goal", goal__isnull=False)
                | (~models.Q(kind="goal") & models.Q(goal__isnull=True)),
                name="funnel_steps_goal_if_goal",
            ),
        ]

    def __str__(self) -> str:
        return f"step {self.position + 1}"


class Segment(models.Model):
    """Filters under a name."""

    site_id = models.IntegerField()
    name = models.CharField(max_length=MAX_NAME)
    filters = models.JSONField()
    """List of filters in the form of the Statistics API."""
    created_by = models.BigIntegerField(null=True)
    """User id; None for one that the demo or an import made."""
    created_at = models.DateTimeField()

    class Meta:
        db_table = "segments"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site_id", "name"], name="segments_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Annotation(models.Model):
    """What happened on a day, to be read beside the figures."""

    site_id = models.IntegerField()
    on_date = models.DateField()
    """A day on the site's clock."""
    text = models.CharField(max_length=120)
    created_by = models.BigIntegerField(null=True)
    """User id; None for one that the demo or an import made."""
    created_at = models.DateTimeField()

    class Meta:
        db_table = "annotations"
        indexes: ClassVar = [
            models.Index(fields=["site_id", "on_date"], name="annotations_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.on_date}: {self.text}"
