"""The columns of the ledger, in words: for exports, in the language of whoever asks. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from server.ledger.naming import Names, code_title, state_title
from server.privacy.numbers import hidden
from server.reckoning.spans import ZONE
from server.storage.ledger import Row
from sync_protocol.kinds import Kind, Title

Say = Callable[[str, str], str]
"""Chooses one of two words: Chinese, English."""
TITLES: Final = {
    "number": Title("编号", "Number"),
    "title": Title("标题", "Title"),
    "village": Title("村（社区）", "Village"),
    "grid": Title("网格", "Grid"),
    "nature": Title("性质", "Nature"),
    "category": Title("矛盾纠纷类别", "Category of a dispute"),
    "service_category": Title("民生服务类别", "Category of a service"),
    "state": Title("状态", "State"),
    "urgency": Title("紧急程度", "Urgency"),
    "level": Title("办理层级", "Level"),
    "source": Title("来源", "Source"),
    "leader": Title("包案领导", "Leader"),
    "unit": Title("主办单位", "Lead unit"),
    "reported": Title("登记时间", "Reported"),
    "due": Title("办理时限", "Due"),
    "overdue": Title("超期", "Overdue"),
    "closed": Title("办结时间", "Closed"),
    "restricted": Title("限制知悉", "Restricted"),
}
_CODED: Final = ("nature", "category", "service_category", "urgency", "level", "source")


def cells(row: Row, kind: Kind, names: Names, now_ms: int, say: Say) -> dict[str, str]:
    """What a row says in each column; long numbers in its title are hidden, and there is no contact in it."""

    def title(of: Title | None) -> str:
        return say(of.zh, of.en) if of is not None else ""

    is_grid = row.village is not None and row.place != row.village
    overdue = row.due_ms is not None and row.due_ms < now_ms
    said = {
        "number": row.number,
        "title": hidden(row.title),
        "village": names.places.get(row.village or "", row.village or ""),
        "grid": names.places.get(row.place, row.place) if is_grid else "",
        **{name: title(code_title(kind, name, getattr(row, name))) for name in _CODED},
        "state": title(state_title(kind, row.state)),
        "leader": names.people.get(row.leader or "", ""),
        "unit": row.unit or "",
        "reported": _moment(row.reported_ms),
        "due": _moment(row.due_ms),
        "overdue": say("是", "yes") if overdue else "",
        "closed": _moment(row.closed_ms),
        "restricted": say("是", "yes") if row.restricted else "",
    }
    return {name: said[name] for name in TITLES}


def _moment(ms: int | None) -> str:
    """A time of the server in Asia/Shanghai, to the minute."""
    if ms is None:
        return ""
    return datetime.fromtimestamp(ms / 1_000, UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M")
