"""What the operating system bounds for us, on sockets of this very process."""

import socket
import sys
from pathlib import Path

import pytest

from server.sockets import bound_unread

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the option is Linux's")


async def test_whoever_came_before_the_bound_was_set_is_bounded_too() -> None:
    """A process accepts from its first moment; who came then would never have been ended."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as caller,
        listening.accept()[0] as accepted,
    ):
        before = _descriptors()
        await bound_unread(7)
        bounds = [
            one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            for one in (listening, accepted, caller)
        ]
        assert bounds == [7_000, 7_000, 0]
        assert _descriptors() == before, "a descriptor was left open"


def _descriptors() -> list[Path]:
    return sorted(Path("/dev/fd").iterdir())
