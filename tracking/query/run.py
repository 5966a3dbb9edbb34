"""Answering queries. Called inside `tenants.schemas.entered(client)`."""

import datetime as dt

from tenants.models import Site
from tracking.query.model import Query, Result


def filterable_from(site: Site, *, hits_retention_days: int, now: dt.datetime) -> dt.date:
    """First day on the site's clock of which all raw rows still live."""
    raise NotImplementedError


def run_query(site: Site, query: Query, *, k: int, now: dt.datetime) -> Result:
    """Answer the query; `k` is the client's `PrivacySettings.k_threshold`.

    Raises QueryError. Rows of fewer than `k` visitors are folded where
    tracking.reports.thresholds says so.
    """
    raise NotImplementedError
