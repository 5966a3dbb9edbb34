"""Nouns of the shared schema."""

from tenants.models.audit import AuditEntry
from tenants.models.clients import Client, Domain, Site
from tenants.models.people import Membership, Role, User
from tenants.models.privacy import CookieMode, IpMode, PrivacySettings, ZipMode

__all__ = [
    "AuditEntry",
    "Client",
    "CookieMode",
    "Domain",
    "IpMode",
    "Membership",
    "PrivacySettings",
    "Role",
    "Site",
    "User",
    "ZipMode",
]
