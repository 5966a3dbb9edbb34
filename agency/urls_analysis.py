"""Addresses of goals, funnels, journeys, retention, realtime, segments, annotations."""

from django.urls import path

from agency.views import annotations, funnels, goals, journeys, realtime, retention, segments

SITE = "sites/<int:site_id>"
_READ = (
    ("goals/", goals.goals, "goals"),
    ("goals/<int:goal_id>/", goals.goal, "goal"),
    ("funnels/", funnels.funnels, "funnels"),
    ("funnels/<int:funnel_id>/", funnels.funnel, "funnel"),
    ("journeys/", journeys.journeys, "journeys"),
    ("retention/", retention.retention, "retention"),
    ("realtime/", realtime.realtime, "realtime"),
)
"""Pages that a shared link may open, too."""

urlpatterns = [
    *(path(f"{SITE}/{end}", view, name=name) for end, view, name in _READ),
    *(
        path(f"shared/<int:link_id>/{end}", view, name=f"shared_{name}")
        for end, view, name in _READ
    ),
    # goals
    path(f"{SITE}/goals/new/", goals.new_goal, name="goal_new"),
    path(f"{SITE}/goals/preview/", goals.preview, name="goal_preview"),
    path(f"{SITE}/goals/<int:goal_id>/edit/", goals.edit_goal, name="goal_edit"),
    path(f"{SITE}/goals/<int:goal_id>/archive/", goals.archive, name="goal_archive"),
    path(f"{SITE}/goals/<int:goal_id>/restore/", goals.restore, name="goal_restore"),
    path(f"{SITE}/goals/<int:goal_id>/delete/", goals.delete, name="goal_delete"),
    # funnels
    path(f"{SITE}/funnels/new/", funnels.new_funnel, name="funnel_new"),
    path(f"{SITE}/funnels/steps/", funnels.steps, name="funnel_steps"),
    path(f"{SITE}/funnels/<int:funnel_id>/edit/", funnels.edit_funnel, name="funnel_edit"),
    path(f"{SITE}/funnels/<int:funnel_id>/delete/", funnels.delete, name="funnel_delete"),
    # kept filters
    path(f"{SITE}/segments/", segments.segments, name="segments"),
    path(f"{SITE}/segments/new/", segments.new_segment, name="segment_new"),
    path(f"{SITE}/segments/<int:segment_id>/edit/", segments.edit_segment, name="segment_edit"),
    path(f"{SITE}/segments/<int:segment_id>/delete/", segments.delete, name="segment_delete"),
    # remarks on days
    path(f"{SITE}/annotations/", annotations.annotations, name="annotations"),
    path(f"{SITE}/annotations/new/", annotations.new_annotation, name="annotation_new"),
    path(
        f"{SITE}/annotations/<int:annotation_id>/edit/",
        annotations.edit_annotation,
        name="annotation_edit",
    ),
    path(
        f"{SITE}/annotations/<int:annotation_id>/delete/",
        annotations.delete,
        name="annotation_delete",
    ),
]
