"""Log lines that say where something broke, and nothing of whom it broke for."""

import logging
import traceback
from types import TracebackType

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PlaceFormatter(logging.Formatter):
    """Writes an exception as its types and places.

    The message of an exception is left out: libraries put values into it, and a value may be an
    address that somebody sent (promise 1).
    """

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - the base class's name
        """Type by type, the cause first; each with the lines it passed through."""
        lines: list[str] = []
        error = ei[1]
        while error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            block = [f"{type(error).__module__}.{type(error).__qualname__}, by way of"]
            block += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
            lines = block + lines
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(lines)
