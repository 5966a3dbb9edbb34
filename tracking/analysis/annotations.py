"""Annotations: what happened on a day, beside the figures of that day."""

import datetime as dt

from tenants.models import Client, Site
from tracking.analysis.changes import recorded
from tracking.models import Annotation
from tracking.reports.periods import Period


def load_annotations(site: Site, period: Period | None = None) -> list[Annotation]:
    """Annotations of the period (None: all), the latest day first. One query."""
    found = Annotation.objects.filter(site_id=site.pk).order_by("-on_date", "-pk")
    if period is not None:
        found = found.filter(on_date__range=(period.starts_on, period.ends_on))
    return list(found)


def save_annotation(
    client: Client,
    site: Site,
    on_date: dt.date,
    text: str,
    *,
    annotation_id: int | None = None,
    now: dt.datetime,
    acting_user: str,
    user_id: int | None,
) -> Annotation:
    """Store a new annotation, or change the one of the id; raises Annotation.DoesNotExist."""
    act = "annotation.create" if annotation_id is None else "annotation.change"
    with recorded(client, act, acting_user=acting_user, site=site.pk) as details:
        annotation = (
            Annotation(site_id=site.pk, created_at=now, created_by=user_id)
            if annotation_id is None
            else Annotation.objects.get(pk=annotation_id, site_id=site.pk)
        )
        annotation.on_date, annotation.text = on_date, text
        annotation.save()
        details |= {"annotation": annotation.pk, "on_date": on_date.isoformat()}
    return annotation


def delete_annotation(client: Client, site: Site, annotation_id: int, *, acting_user: str) -> None:
    """Delete an annotation; raises Annotation.DoesNotExist."""
    with recorded(client, "annotation.delete", acting_user=acting_user, site=site.pk) as details:
        annotation = Annotation.objects.get(pk=annotation_id, site_id=site.pk)
        details |= {"annotation": annotation_id, "on_date": annotation.on_date.isoformat()}
        annotation.delete()
