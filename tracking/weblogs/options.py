"""What an import is asked to do."""

import msgspec

DEFAULT_WORKERS = 2
DEFAULT_METHODS = ("GET",)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults count what a person saw: GET, no bots, no static files, no errors."""

    log_format: str = ""
    """A format's name or an nginx log_format; empty: detected for each file."""
    methods: tuple[str, ...] = DEFAULT_METHODS
    include_bots: bool = False
    include_static: bool = False
    include_errors: bool = False
    """Status 4xx and 5xx; a 404 is stored as page not found."""
    include_redirects: bool = False
    any_host: bool = False
    """Also lines whose virtual host is none of the site's."""
    workers: int = DEFAULT_WORKERS
    dry_run: bool = False

    def fingerprint(self) -> bytes:
        """What decides which lines are stored: an import resumes only with the same."""
        chosen = (
            self.log_format, self.methods, self.include_bots, self.include_static,
            self.include_errors, self.include_redirects, self.any_host,
        )  # fmt: skip
        return msgspec.msgpack.encode(chosen)
