from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from client_sdk import FieldClient
from tests.client.town import Town

OpenDevice = Callable[..., FieldClient]
PASSPHRASE = "口令 with spaces"


class Clock:
    """A device's clock that goes on by a second whenever somebody looks."""

    def __init__(self, at_ms: int = 1_760_000_000_000) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        self.at_ms += 1_000
        return self.at_ms


def limit_pages(device: FieldClient, pages: int) -> None:
    """Makes the store as full as a disk that has room for `pages` more pages of 4 KiB."""
    with device._store.write() as tx:
        ((count,),) = tx.rows("PRAGMA page_count")
        tx.rows(f"PRAGMA max_page_count = {count + pages}")


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def open_device(tmp_path: Path, town: Town) -> Iterator[OpenDevice]:
    """Opens a device's store in the test's folder; what it opened is closed at the end."""
    seeds = count(1)
    with ExitStack() as stack:

        def open_(name: str = "worker.rbk", *, enrol: bool = True, **more: Any) -> FieldClient:
            given: dict[str, Any] = {
                "passphrase": PASSPHRASE,
                "transport": town,
                "clock": Clock(),
                "random": Random(next(seeds)).randbytes,
                "sleep": lambda _: None,
            }
            client = FieldClient.open(tmp_path / name, **{**given, **more})
            stack.callback(client.close)
            if enrol and not (tmp_path / f"{name}.enrolled").exists():
                client.enrol("http://town", code="ABCD-EFGH")
                (tmp_path / f"{name}.enrolled").touch()
            return client

        yield open_


@pytest.fixture
def device(open_device: OpenDevice) -> FieldClient:
    return open_device()
