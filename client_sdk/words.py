"""What news says to a worker, in Chinese and in English. The screen never speaks of 冲突."""

from typing import Any, Final

import msgspec

from client_sdk.store.news import Item
from sync_protocol.kinds import Kind

_RECEIPTS: Final[dict[str, tuple[str, str]]] = {
    "applied": ("已补录", "taken in after all"),
    "merged": ("已合并", "merged"),
    "kept": ("采用了我填的内容", "your value was kept"),
    "not_kept": ("采用了他人填的内容", "the other's value was kept"),
    "superseded": ("已被后来的内容取代", "replaced by something later"),
    "discarded": ("未采用", "not taken in"),
    "joined": ("已并案，由镇里一并办理", "joined with another matter, handled as one"),
    "returned": ("已退回，请补正", "returned for correction"),
    "erased": (
        "已由镇里依规抹去，本机不再保留",
        "erased by the township for good; nothing of it is kept here",
    ),
}
_LEFT: Final[dict[str, tuple[str, str]]] = {
    "moved": ("已转到其他网格", "moved to another grid"),
    "closed": ("已办结", "closed"),
    "deleted": ("已删除", "deleted"),
    "restricted": ("镇里已收到", "received by the township"),
}


class News(msgspec.Struct, frozen=True):
    """One piece of news about a record that was created here, or a change that was made here."""

    record: str
    what: str
    """numbered, renumbered, state, left, or the outcome of a change.

    That is applied, kept, not_kept, superseded, discarded or joined.
    """
    detail: dict[str, Any]
    at_ms: int
    """The server's clock, in milliseconds since 1970."""
    zh: str
    en: str


def news(item: Item, kind: Kind | None) -> News:
    """A piece of news with its words."""
    zh, en = _words(item, kind)
    reason = item.detail.get("reason")
    if reason:
        zh, en = f"{zh}（{reason}）", f"{en} ({reason})"
    return News(item.record, item.what, item.detail, item.at_ms, zh, en)


def _words(item: Item, kind: Kind | None) -> tuple[str, str]:
    number = item.detail.get("number")
    match item.what:
        case "numbered":
            return f"已登记，编号 {number}", f"registered as {number}"
        case "renumbered":
            old = item.detail.get("formerly")
            return (
                f"编号由 {old} 改为 {number}，请告知当事人",
                f"the number {old} has become {number}: tell the people concerned",
            )
        case "state":
            return _state(item.detail.get("to"), kind)
        case "left":
            words = _LEFT.get(str(item.detail.get("why")), ("已移出本机", "no longer on this device"))
            zh, en = _state(item.detail.get("state"), kind)
            return (f"{words[0]}：{zh}", f"{words[1]}: {en}") if zh else words
        case _:
            return _RECEIPTS.get(item.what, (item.what, item.what))


def _state(name: Any, kind: Kind | None) -> tuple[str, str]:
    state = kind.workflow.state(str(name)) if kind is not None and kind.workflow is not None else None
    return (state.title.zh, state.title.en) if state is not None else (str(name or ""), str(name or ""))
