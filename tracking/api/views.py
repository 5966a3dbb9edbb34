"""The two addresses of the statistics API. In the public schema until a client is entered."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from tenants.api_keys import key_sites
from tenants.schemas import entered
from tracking.analysis.segments import find_filters
from tracking.api import schema
from tracking.api.asked import read_body, read_site
from tracking.api.keys import BearerKey, KeyThrottle, MayReadStatistics, key_of
from tracking.api.problems import TooLarge
from tracking.api.replies import reply_of
from tracking.query.run import filterable_from, run_query
from tracking.reports.totals import find_first_day

MOST_BYTES = 65_536
"""Longest body."""


class KeyedView(APIView):
    """A view that a key opens; every reply tells how many requests are left."""

    authentication_classes = (BearerKey,)
    permission_classes = (MayReadStatistics,)
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)

    def get_throttles(self) -> list[BaseThrottle]:
        """One, which the reply's headers are read from."""
        self.throttle = KeyThrottle()
        return [self.throttle]

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Numbers of a client are for this asker only, and for now."""
        reply = super().finalize_response(request, response, *args, **kwargs)
        reply["Cache-Control"] = "no-store"
        if hasattr(self, "throttle"):
            for name, value in self.throttle.headers().items():
                reply[name] = value
        return reply


class QueryView(KeyedView):
    """`POST /api/v1/query`."""

    @extend_schema(
        operation_id="query",
        summary="Ask for statistics",
        description=schema.QUERY_WORDS,
        request=schema.REQUEST,
        responses=schema.QUERY_REPLIES,
        examples=schema.EXAMPLES,
        tags=["statistics"],
    )
    def post(self, request: Request) -> Response:
        """Answer one query."""
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
            raise TooLarge(f"The body has more than {MOST_BYTES} bytes: send a shorter query.")
        now, key = timezone.now(), key_of(request)
        body: Any = request.data
        site = read_site(body, key_sites(key))
        privacy = key.client.privacy
        raw_since = filterable_from(site, hits_retention_days=privacy.raw_days(now), now=now)
        with entered(key.client):
            asked = read_body(
                body,
                site,
                first_day=find_first_day(site) if body.get("date_range") == "all" else None,
                load_segment=lambda number: find_filters(site, number),
                now=now,
            )
            result = run_query(site, asked.query, k=privacy.k_threshold, now=now)
        return Response(reply_of(site, asked, result, k=privacy.k_threshold, raw_since=raw_since))


class SitesView(KeyedView):
    """`GET /api/v1/sites`."""

    @extend_schema(
        operation_id="sites",
        summary="List the sites that the key may read",
        responses=schema.SITES_REPLIES,
        tags=["sites"],
    )
    def get(self, request: Request) -> Response:
        """All of them, by age; there are never enough of them for pages."""
        return Response(
            {
                "sites": [
                    {
                        "id": site.key,
                        "name": site.name,
                        "hosts": site.hosts,
                        "timezone": site.timezone,
                    }
                    for site in key_sites(key_of(request))
                ]
            }
        )
