"""Segments: filters kept under a name."""

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction

from tenants.models import Client, Site
from tracking.analysis.changes import DefinitionError, recorded
from tracking.models import Segment

_TAKEN = "The site has a segment of this name already: choose another."


def load_segments(site: Site) -> list[Segment]:
    """The site's segments by name. One query, in the client's schema."""
    return list(Segment.objects.filter(site_id=site.pk).order_by("name"))


def find_filters(site: Site, segment_id: int) -> Any:
    """The filters of a segment in the API's form; None when the site has no such segment."""
    found = Segment.objects.filter(site_id=site.pk, pk=segment_id).values_list("filters", flat=True)
    return found.first()


def create_segment(
    client: Client,
    site: Site,
    name: str,
    filters: list[Any],
    *,
    now: dt.datetime,
    acting_user: str,
    user_id: int | None,
) -> Segment:
    """Keep filters (in the API's form) under a name; raises DefinitionError if it is taken."""
    if not filters:
        raise DefinitionError("", "There is no filter to keep: filter the report first.")
    segment = Segment(
        site_id=site.pk, name=name, filters=filters, created_by=user_id, created_at=now
    )
    with recorded(client, "segment.create", acting_user=acting_user, site=site.pk) as details:
        _store(segment)
        details |= {"segment": segment.pk, "name": name}
    return segment


def rename_segment(
    client: Client, site: Site, segment_id: int, name: str, *, acting_user: str
) -> Segment:
    """Give a segment another name; raises DefinitionError, Segment.DoesNotExist."""
    with recorded(client, "segment.rename", acting_user=acting_user, site=site.pk) as details:
        segment = Segment.objects.get(pk=segment_id, site_id=site.pk)
        details |= {"segment": segment_id, "name": name, "before": segment.name}
        segment.name = name
        _store(segment)
    return segment


def delete_segment(client: Client, site: Site, segment_id: int, *, acting_user: str) -> None:
    """Delete a segment; raises Segment.DoesNotExist. Addresses with its filters go on working."""
    with recorded(client, "segment.delete", acting_user=acting_user, site=site.pk) as details:
        segment = Segment.objects.get(pk=segment_id, site_id=site.pk)
        details |= {"segment": segment_id, "name": segment.name}
        segment.delete()


def _store(segment: Segment) -> None:
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError:
        raise DefinitionError("name", _TAKEN) from None
