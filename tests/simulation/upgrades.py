"""What a later release brings, in the middle of a round: servers that say more, and a kind with one more field."""

import json
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from client_sdk.compression import unpacked
from client_sdk.transport import Response
from server.kinds.service import install
from tests.protocol.kinds_for_tests import SHEET_TOML

_MORE: Final = {"since_a_later_version": {"of": ["nobody", 1, None]}}
_LISTS: Final = ("verdicts", "unanswered")
_OF_PAGE: Final = ("records", "exits", "receipts")
SHEET_2_TOML: Final = SHEET_TOML.replace("version = 1", "version = 2", 1) + (
    '[fields.remark]\ntype = "text"\nmerge = "latest"\nprivacy = "plain"\nmax_length = 200\n'
    'title = { zh = "备注", en = "Remark" }\n'
)
"""The sheet of the tests with a field more."""


def of_a_later_version(response: Response, request: bytes) -> Response:
    """An answer to a sync as a later server gives it: each part has a member that this version does not know."""
    says = json.loads(plain(response.headers, response.body, request))
    page = says.get("page") or {}
    parts = [says, *(part for name in _LISTS for part in says.get(name, ()))]
    parts += [page, *(part for name in _OF_PAGE for part in page.get(name, ()))] if page else []
    for part in parts:
        part.update(_MORE)
    body = json.dumps(says, ensure_ascii=False).encode()
    headers = {name: value for name, value in response.headers.items() if name != "content-encoding"}
    return Response(response.status, headers | {"content-length": str(len(body))}, body)


def plain(headers: dict[str, str], body: bytes, request: bytes | None = None) -> str:
    """A body as it was before it was compressed; `request`, if it is an answer: what it answers, likewise."""
    encoding = {name.lower(): value for name, value in headers.items()}.get("content-encoding", "")
    return unpacked(body, encoding, 2**26, request).decode("utf-8", "replace")


async def kind_grows(engine: AsyncEngine, now_ms: int) -> Any:
    """Installs the second version of the sheet, as an operator does."""
    return await install(engine, SHEET_2_TOML, "sheet.toml", now_ms)
