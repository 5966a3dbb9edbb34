"""Which client a host name belongs to, and sessions that are worth nothing on another host."""
def no_address(request): return ""
