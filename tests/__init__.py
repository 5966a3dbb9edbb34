"""The suite: real Postgres, real Valkey, real browser."""
