"""What the operating system bounds for us: callers who read nothing of their answer, or are gone without a word.

The server under the application (Granian) closes a connection that is silent before a request, and knows no
time limit after it: a caller who never reads would keep its connection, and its answer in memory, for ever.
The kernel has the limit. A listening socket hands its options on to what it accepts, so it is set there, once.
"""

import asyncio
import os
import resource
import socket
from contextlib import suppress
from typing import Final

_LOOK_S: Final = 0.05
_OPEN: Final = "/dev/fd"
_UNREAD: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)
_OTHER_FILES: Final = 256
"""Of the database, of logs and of libraries."""


def make_room(connections: int) -> None:
    """Lets this process, and those it starts, open so many connections, as far as the system permits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def bound_unread(unread_s: int) -> None:
    """Closes connections whose data was not taken for so long; waits for the listening socket first.

    Linux only: elsewhere it does nothing, and a proxy has to see to it.
    """
    while _UNREAD is not None and not _set(_UNREAD, unread_s * 1_000):  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(_LOOK_S)


def _set(option: int, value: int) -> bool:
    """Whether this process listens already."""
    listens = False
    for name in os.listdir(_OPEN):  # noqa: PTH208 (descriptors, not files)
        with suppress(OSError), socket.socket(fileno=os.dup(int(name))) as one:
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                one.setsockopt(socket.IPPROTO_TCP, option, value)
                listens = True
    return listens
