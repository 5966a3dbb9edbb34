"""System checks: settings that are allowed in production and seldom meant."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as CheckWarning


@register(Tags.security, deploy=True)
def check_proxies(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """TLS ends at a proxy, so one should be trusted; what is unsafe, the settings refuse."""
    if not settings.PRODUCTION or settings.TRUSTED_PROXIES:
        return []
    return [
        CheckWarning(
            "OUTWARD_TRUSTED_PROXIES is empty: every visitor has the proxy's address.",
            hint="Name the networks of the proxies in front, e.g. 10.0.0.0/8.",
            id="tenants.W001",
        )
    ]
