"""The application of the server, wired once for many tests: wiring it takes longer than most of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from litestar import Litestar

from server.app import create_app
from server.services import Services, open_services
from server.settings import Settings
from sync_protocol.limits import Limits

_UNUSED: Final = "sqlite+aiosqlite:///unused"


class Wired:
    """An application whose services change; what it counts of its callers is among them."""

    def __init__(self, settings: Settings) -> None:
        """`settings` without the database, which is the services'."""
        settings = msgspec.structs.replace(settings, database=_UNUSED)
        self._services = open_services(settings)
        self.app: Litestar = create_app(settings, self._services)

    def use(self, services: Services) -> None:
        """Gives it other services; those of before have no use any more."""
        for name in Services.__struct_fields__:
            msgspec.structs.force_setattr(self._services, name, getattr(services, name))


_free: Final[dict[Limits, list[Wired]]] = {}


@contextmanager
def application(services: Services) -> Iterator[Litestar]:
    """An application over `services`. Whoever registers something with it wires one of their own."""
    free = _free.setdefault(services.limits, [])
    wired = free.pop() if free else Wired(Settings(limits=services.limits))
    wired.use(services)
    try:
        yield wired.app
    finally:
        free.append(wired)
