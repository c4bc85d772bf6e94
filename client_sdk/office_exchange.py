"""One request of an application and its answer, without I/O: what is repeated, what it means when it fails.

A *flow* is a generator. It yields what it needs of the world (a `Call` to be sent, a `Pause` to be waited
for, an `Item` for the caller), is sent what came of it, and returns a result. office.py has the two drivers,
one blocking and one under asyncio; everything else about an operation is written once.

Every request may be repeated: reads by nature, writes because they bear a key by which the server knows a
request that it has seen.
"""

from collections.abc import Callable, Generator
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from client_sdk.compression import ACCEPTED, Undecodable, unpacked
from client_sdk.texts import unwritable
from client_sdk.transport import LinkBroken, Response
from client_sdk.trust import advice
from sync_protocol.errors import (
    CursorExpired,
    Forbidden,
    InvalidRecord,
    NotFound,
    Offline,
    Refused,
    RoundbookError,
    VersionConflict,
)

Result = TypeVar("Result")
Random = Callable[[int], bytes]

ATTEMPTS: Final = 5
TIMEOUT_S: Final = 60.0
_BACK_OFF_S: Final = 0.25
_RETRY_AFTER_S_MAX: Final = 30.0
_ANSWER_BYTES_MAX: Final = 64 * 2**20
_PASSING: Final = frozenset({429, 502, 503, 504})
_OK: Final = range(200, 300)
_SERVER_ERROR: Final = 500
_PROBLEM_TYPE: Final = "application/problem+json"
_READ_AGAIN: Final = (
    "the cursor is older than what the server keeps: take position(), read records() again, then go on with "
    "changes(since=that position) / 同步位置过旧：先取 position()，重新读取 records()，再从该位置继续"
)


class Call(msgspec.Struct, frozen=True):
    """A request to be sent."""

    method: str
    path: str
    headers: dict[str, str] = {}
    body: bytes = b""
    timeout_s: float = TIMEOUT_S


class Pause(msgspec.Struct, frozen=True):
    """Seconds to be waited."""

    seconds: float


class Item(Generic[Result]):
    """Something for the caller of an operation that gives many."""

    __slots__ = ("value",)

    def __init__(self, value: Result) -> None:
        """Carries `value`."""
        self.value = value


Heard: TypeAlias = Response | LinkBroken | None
"""What came of a step: of a call its response or why there is none, of everything else nothing."""
Flow: TypeAlias = Generator[Call | Pause, Heard, Result]
Stream: TypeAlias = Generator[Call | Pause | Item[Result], Heard, None]


class Problem(msgspec.Struct, frozen=True):
    """What an error needs of a problem document."""

    code: str
    title: str = ""
    title_zh: str = ""
    detail: str = ""
    next: str = ""
    next_zh: str = ""
    field: str | None = None


def ask(call: Call, expected: type[Result], random: Random) -> Flow[Result]:
    """Sends a request, again where that may help, and reads the answer. Raises the SDK's errors."""
    named = msgspec.structs.replace(call, headers={"accept-encoding": ACCEPTED, **call.headers})
    heard: Heard = None
    for attempt in range(ATTEMPTS):
        heard = yield named
        if isinstance(heard, Response) and heard.status not in _PASSING:
            return read(heard, expected)
        if attempt + 1 < ATTEMPTS:
            yield Pause(delay_s(attempt, heard, random))
    if isinstance(heard, Response):
        raise _error(heard, _plain(heard))
    raise Offline(_offline(heard.reason if isinstance(heard, LinkBroken) else "no_answer"))


def delay_s(attempt: int, heard: Heard, random: Random) -> float:
    """How long to wait before the next attempt: back-off with jitter, and what the server asks for."""
    jitter = 0.5 + random(1)[0] / 256
    asked = heard.headers.get("retry-after", "") if isinstance(heard, Response) else ""
    wanted = float(asked) if asked.isascii() and asked.isdigit() else 0.0
    return max(_BACK_OFF_S * (1 << attempt) * jitter, min(wanted, _RETRY_AFTER_S_MAX))


def read(response: Response, expected: type[Result]) -> Result:
    """The answer; raises what a problem document says, and Offline for what no Roundbook server says."""
    body = _plain(response)
    if response.status not in _OK:
        raise _error(response, body)
    try:
        return msgspec.json.decode(body, type=expected)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Offline(_offline("not_roundbook")) from error


def _plain(response: Response) -> bytes:
    try:
        return unpacked(response.body, response.headers.get("content-encoding", ""), _ANSWER_BYTES_MAX)
    except Undecodable as error:
        raise Offline(_offline("not_roundbook")) from error


def _error(response: Response, body: bytes) -> RoundbookError:
    """A problem document as an error. Anything else, such as a portal's page, is no answer of ours."""
    problem = _problem(response, body)
    if problem is None or response.status >= _SERVER_ERROR:
        return Offline(_offline(problem.code if problem is not None else f"http_{response.status}"))
    message = f"{problem.title_zh}：{problem.next_zh} / {problem.detail or problem.title}: {problem.next}"
    simple: dict[str, Callable[[], RoundbookError]] = {
        "not_found": lambda: NotFound(message),
        "cursor_expired": lambda: CursorExpired(_READ_AGAIN),
        "invalid_record": lambda: InvalidRecord(problem.field or "fields", problem.detail),
        "version_conflict": lambda: VersionConflict(problem.code, message, response.status),
        "forbidden": lambda: Forbidden(problem.code, message, response.status),
    }
    made = simple.get(problem.code)
    return made() if made is not None else Refused(problem.code, message, response.status)


def _problem(response: Response, body: bytes) -> Problem | None:
    if _PROBLEM_TYPE not in response.headers.get("content-type", ""):
        return None
    try:
        return msgspec.json.decode(body, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _offline(reason: str) -> str:
    known = advice(reason)
    if known is not None:
        return f"{known[1]}; nothing is lost / {known[0]}"
    return (
        f"no answer from a Roundbook server ({reason}); nothing is lost, try again later / "
        f"服务器没有应答（{reason}），稍后再试"
    )


def encoded(value: Any) -> bytes:
    """JSON of a request's body; raises InvalidRecord for a text that has none."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise unwritable("text") from error
