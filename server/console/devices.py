"""/office/devices: what was last heard of each device, other grids, one-time codes, and the end of a device."""

from typing import Any, Final

import msgspec
import segno
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.console.forms import filled
from server.console.page import Asked, Refusal, go_to, page, part, refusal_page, words_of
from server.console.words import Words
from server.devices import managing
from server.inbox.sources import SILENT_MS, silent_since
from server.ledger import service as ledger
from server.staff import managing as people
from sync_protocol.clock import LINK_MS
from sync_protocol.invitation import Invitation, plain

_PATH: Final = "/office/devices"
_SCALE: Final = 5
_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_REFUSED: Final = 422


class _Grids(msgspec.Struct, frozen=True):
    grid: list[str] = []


class _Enrolment(msgspec.Struct, frozen=True):
    worker: str = ""
    url: str = ""
    grid: list[str] = []


class _End(msgspec.Struct, frozen=True):
    reason: str = ""


@get("/devices", opt={"action": "devices.list"})
async def show_devices(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """Every device of the township, revoked ones last."""
    words, now_ms = words_of(request), services.clock()
    rows = [
        {
            "row": row,
            "heard": words.ago(row.contact_ms, now_ms)
            if row.contact_ms is not None
            else words("从未", "never"),
            "silent": row.revoked_ms is None and silent_since(row) < now_ms - SILENT_MS,
            "clock": clock_words(row.offset_ms, words),
        }
        for row in await managing.listed(services, caller)
    ]
    workers = [one for one in await people.listed(services, caller) if one.role == "grid_worker"]
    choices = await ledger.choices(services, caller)
    return page(
        request, person, "devices/list.html",
        rows=rows, workers=[one for one in workers if one.disabled_ms is None], grids=choices.grids,
        origin=str(request.base_url).rstrip("/"), code_minutes=services.code_minutes,
    )  # fmt: skip


@get("/devices/{device:str}", opt={"action": "devices.list"})
async def show_device(
    request: Asked, services: Given, caller: Calling, person: Signed, device: FromPath[str]
) -> Response[str]:
    """One device, with the grids that it could have."""
    row, words, now_ms = await managing.one(services, caller, device), words_of(request), services.clock()
    choices = await ledger.choices(services, caller)
    heard = words.ago(row.contact_ms, now_ms) if row.contact_ms is not None else words("从未", "never")
    return page(
        request, person, "devices/device.html",
        one=row, grids=choices.grids, heard=heard, clock=clock_words(row.offset_ms, words),
    )  # fmt: skip


@post("/devices", status_code=200, opt={"action": "devices.change"})
async def enrol(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """A one-time code as text and as a QR code, shown this once."""
    given, words = await filled(request, _Enrolment), words_of(request)
    if not given.worker or not given.grid or not plain(given.url):
        wrong = words(
            "请选择网格员和网格，并填写服务器地址",
            "Choose a worker and grids, and write the server's address",
        )
        return refusal_page(request, Refusal(_REFUSED, wrong, words("再点一次", "Press the button again")))
    made = await managing.give_code(services, caller, given.worker, given.grid)
    drawn = segno.make_qr(Invitation(given.url, made.code).text).svg_data_uri(scale=_SCALE)
    return part(request, person, "devices/code.html", made=made, picture=drawn)


@post("/devices/{device:str}/preview", status_code=200, opt={"action": "devices.change"})
async def preview_move(
    request: Asked, services: Given, caller: Calling, person: Signed, device: FromPath[str]
) -> Response[str]:
    """What other grids would mean: records that enter and leave, changes that may not be sent yet."""
    given = await filled(request, _Grids)
    words, now_ms = words_of(request), services.clock()
    foreseen = await managing.preview(services, caller, device, given.grid)
    row = foreseen.device
    heard = words.ago(row.contact_ms, now_ms) if row.contact_ms is not None else words("从未", "never")
    return part(request, person, "devices/move.html", move=foreseen, wanted=given.grid, heard=heard)


@post("/devices/{device:str}/grids", status_code=200, opt={"action": "devices.change"})
async def move(request: Asked, services: Given, caller: Calling, device: FromPath[str]) -> Response[Any]:
    """Gives the device these grids."""
    given = await filled(request, _Grids)
    await managing.move(services, caller, device, given.grid)
    return go_to(f"{_PATH}/{device}")


@post("/devices/{device:str}/revoke", status_code=200, opt={"action": "devices.change"})
async def revoke(request: Asked, services: Given, caller: Calling, device: FromPath[str]) -> Response[Any]:
    """Revokes it for ever."""
    given, words = await filled(request, _End), words_of(request)
    reason = " ".join(given.reason.split())
    if not 2 <= len(reason) <= 200:  # noqa: PLR2004 (a word, a sentence or two)
        wrong = words("请写明停用的原因（2 至 200 字）", "Write why, in 2 to 200 characters")
        return refusal_page(request, Refusal(_REFUSED, wrong, words("再点一次", "Press the button again")))
    await managing.revoke(services, caller, device, reason)
    return go_to(f"{_PATH}/{device}")


def clock_words(offset_ms: int | None, words: Words) -> str:
    """How wrong a device's clock was when it was last heard of, in words; "" where that is not known."""
    if offset_ms is None:
        return ""
    if abs(offset_ms) <= LINK_MS:
        return words("准", "right")
    seconds = round(abs(offset_ms) / 1_000)
    if seconds >= _DAY_S:
        long = words(f"{seconds // _DAY_S} 天", f"{seconds // _DAY_S} d")
    elif seconds >= _HOUR_S:
        long = words(f"{seconds // _HOUR_S} 小时", f"{seconds // _HOUR_S} h")
    else:
        long = words(f"{seconds} 秒", f"{seconds} s")
    return words(f"慢 {long}", f"{long} slow") if offset_ms > 0 else words(f"快 {long}", f"{long} fast")


HANDLERS: Final[tuple[ControllerRouterHandler, ...]] = (
    show_devices, show_device, enrol, preview_move, move, revoke,
)  # fmt: skip
