"""Nouns of the shared schema."""

from tenants.models.api_keys import ApiKey, Scope
from tenants.models.audit import AuditEntry
from tenants.models.clients import Client, Domain, Site
from tenants.models.drafts import ClientDraft
from tenants.models.groups import ClientGroup
from tenants.models.look import ClientLogo
from tenants.models.people import Invitation, Membership, Role, Section, User
from tenants.models.privacy import CookieMode, IpMode, PrivacySettings, ZipMode
from tenants.models.sessions import LogInSession
from tenants.models.uploads import LogUpload, UploadState
from tenants.models.usage import ClientDay, ClientState

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Client",
    "ClientDay",
    "ClientDraft",
    "ClientGroup",
    "ClientLogo",
    "ClientState",
    "CookieMode",
    "Domain",
    "Invitation",
    "IpMode",
    "LogInSession",
    "LogUpload",
    "Membership",
    "PrivacySettings",
    "Role",
    "Scope",
    "Section",
    "Site",
    "UploadState",
    "User",
    "ZipMode",
]
