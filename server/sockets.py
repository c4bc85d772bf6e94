"""What the operating system bounds for us: callers who read nothing of their answer, or are gone without a word.

The server under the application (Granian) closes a connection that is silent before a request, and knows no
time limit after it: a caller who never reads would keep its connection, and its answer in memory, for ever.
The kernel has the limit. A listening socket hands its options on to what it accepts, so it is set there, once.
"""

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from stat import S_ISSOCK
from typing import Final

_LOOK_S: Final = 0.05
_ACCEPTED_S: Final = 1.0
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

    Connections that were made before it was found have nothing from it: those are looked for afterwards, and once
    more for those that were still waiting to be accepted. Linux only: elsewhere it does nothing, and a proxy has to
    see to it.
    """
    if _UNREAD is None:
        return
    while not _bound(_UNREAD, unread_s * 1_000):  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(_LOOK_S)
    await asyncio.sleep(_ACCEPTED_S)
    _bound(_UNREAD, unread_s * 1_000)


def _bound(option: int, value: int) -> bool:
    """Sets an option of where this process listens and of who came there; whether it listens already."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in _sockets()]
        listening = [one for one in sockets if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
        ports = {one.getsockname()[1] for one in listening}
        came = [one for one in sockets if one not in listening and one.getsockname()[1] in ports]
        for one in (*listening, *came):
            with suppress(OSError):  # whoever came may be gone again
                one.setsockopt(socket.IPPROTO_TCP, option, value)
        return bool(listening)


def _sockets() -> Iterator[socket.socket]:
    """A second descriptor for each TCP socket of this process."""
    for name in os.listdir(_OPEN):  # noqa: PTH208 (descriptors, not files)
        with suppress(OSError):  # closed meanwhile
            if not S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            one = socket.socket(fileno=os.dup(int(name)))
            if one.type == socket.SOCK_STREAM and one.family in {socket.AF_INET, socket.AF_INET6}:
                yield one
            else:
                one.close()
