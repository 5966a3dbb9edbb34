"""Forms of the dashboard: what people may send, checked."""
