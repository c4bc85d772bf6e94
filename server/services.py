"""What every feature of the server is given: the database, the kinds, the clock, the limits."""

from collections.abc import Callable

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from server.kinds.registry import Registry
from sync_protocol.limits import Limits


class Services(msgspec.Struct, frozen=True):
    """Made once by app.py, never changed."""

    engine: AsyncEngine
    registry: Registry
    clock: Callable[[], int]
    """The server's time in milliseconds since 1970 UTC."""
    random: Callable[[int], bytes]
    """So many random bytes, fit for keys."""
    limits: Limits
