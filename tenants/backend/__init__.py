"""Database engine: django-tenants' search path, and the client's database role with it."""
