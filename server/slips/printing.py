"""Papers as PDF, by Typst. What is printed goes in as data, which the programs in typeset/ set as text."""

from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Final, cast

import anyio.to_thread
import msgspec
import typst
from anyio import CapacityLimiter

from server.slips import fonts
from server.slips.paper import Paper

if TYPE_CHECKING:
    from collections.abc import Callable

_AT_ONCE: Final = 2
"""A paper takes a core for a tenth of a second, a case file of hundreds of entries for some seconds."""
# Its stub knows the form that writes a file, and not the one that gives the bytes.
_compile: Final = cast("Callable[..., bytes]", typst.compile)
_limiters: Final[dict[str, CapacityLimiter]] = {}


async def slip_pdf(paper: Paper) -> bytes:
    """One slip as PDF; refuses where no Chinese font is installed."""
    return await typeset("slip.typ", msgspec.to_builtins(paper))


async def typeset(program: str, data: dict[str, object]) -> bytes:
    """What a program of typeset/ makes of data, as PDF, beside the event loop and two at once."""
    said = msgspec.json.encode({**data, "fonts": fonts.require()}).decode()
    source = (files("server.slips") / "typeset" / program).read_bytes()
    work = partial(_compile, source, format="pdf", sys_inputs={"data": said})
    limiter = _limiters.setdefault("printing", CapacityLimiter(_AT_ONCE))
    return await anyio.to_thread.run_sync(work, limiter=limiter)
