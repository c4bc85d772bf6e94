"""What the checker has to know of a township: simulated (world.py), or of real processes (tests/chaos)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from client_sdk import AsyncFieldClient
from tests.simulation.witness import Witness


class Identity(Protocol):
    """As whom a device is enrolled."""

    @property
    def id(self) -> str: ...


class Device(Protocol):
    """What has to be known of a device; its store is open."""

    @property
    def name(self) -> str: ...
    @property
    def enrolled(self) -> Identity: ...
    @property
    def client(self) -> AsyncFieldClient | None: ...
    @property
    def saved(self) -> Sequence[str]: ...
    @property
    def uncertain(self) -> set[str]: ...
    @property
    def revoked(self) -> bool: ...


class Town(Protocol):
    """What has to be known of a township."""

    @property
    def devices(self) -> Sequence[Device]: ...
    @property
    def witness(self) -> Witness: ...
    @property
    def decided(self) -> Mapping[str, frozenset[Any]]: ...
    @property
    def restored(self) -> bool: ...


def store(device: Device, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a device's store; none of one that was wiped."""
    if device.client is None:
        return []
    with device.client.blocking._store.inner.read() as tx:
        return tx.rows(sql)
