"""Words of label ids."""

from collections.abc import Collection, Mapping

from django.db import connection

from tenants.models import Site
from tracking.models.raw import NOT_SET
from tracking.query.buckets import bounds_of
from tracking.query.model import PROPS
from tracking.query.reading import MAIN_HOST
from tracking.reports.periods import Period
from tracking.rollups.hours import from_us

STATUS = "event:status"
"""Its labels are the codes themselves."""


def name_labels(
    site: Site, period: Period, dimension: str, labels: Collection[int]
) -> Mapping[int, str]:
    """The text of each label of a dimension, "" for what is not set. One query at most."""
    if dimension.startswith(PROPS):
        return _props(site, period, dimension.removeprefix(PROPS), labels) if labels else {}
    return name_many(site, {dimension: labels})[dimension]


def name_many(site: Site, labels: Mapping[str, Collection[int]]) -> dict[str, dict[int, str]]:
    """As `name_labels`, of several dimensions, none of which is a property. One query at most."""
    stored = {label for name, found in labels.items() if name != STATUS for label in found}
    texts = _texts(stored) | {MAIN_HOST: site.main_host}
    return {
        name: {
            label: (str(label) if label else "") if name == STATUS else texts.get(label, "")
            for label in found
        }
        for name, found in labels.items()
    }


def _texts(labels: Collection[int]) -> dict[int, str]:
    wanted = sorted(label for label in labels if label > NOT_SET)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, value FROM labels WHERE id = ANY(%s)", [wanted])
        return dict(cursor.fetchall())


def _props(site: Site, period: Period, name: str, labels: Collection[int]) -> dict[int, str]:
    """Properties have no labels: they are known by a hash of their text."""
    first, after = map(from_us, bounds_of(site.timezone, period))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT hashtextextended(h.props ->> %s, 0), h.props ->> %s FROM hits h "
            "WHERE h.site_id = %s AND h.at >= %s AND h.at < %s "
            "AND hashtextextended(h.props ->> %s, 0) = ANY(%s::int8[])",
            [name, name, site.pk, first, after, name, list(labels)],
        )
        return dict(cursor.fetchall())
