"""What a printed case file says: the matter from cover to timeline, as data for the program that sets it."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from server.casefile.facts import PARTIES, facts_of, lists_of
from server.casefile.service import Acting, CaseFile
from server.casefile.timeline import Moment
from server.declined import not_found
from server.records.reading import find
from server.saying import SHANGHAI, day_said, entry_said, state_said
from server.services import Services
from server.slips.service import Ticket, require
from server.slips.templates import shown
from server.staff.roles import TITLES
from server.storage import directory
from server.storage.engine import snapshot


async def bundle(
    services: Services, acting: Acting, case: CaseFile, ticket: Ticket | None
) -> dict[str, object]:
    """The printed case file in Chinese; parties in full where a ticket allows it, masked otherwise."""
    caller = acting("records.read")
    if caller is None:
        raise not_found()
    township, state = await find(services, caller, case.record.id)

    async def read(connection: AsyncConnection) -> str:
        if ticket is not None:
            await require(connection, township, caller, case.record.id, ticket, services.clock())
        places = await directory.places(connection, [township])
        return places[township].name if township in places else township

    town = await snapshot(services.engine, read)
    fields = case.record.fields
    if ticket is not None:
        fields = {**fields, PARTIES: state.values.get(PARTIES)}
    made = _said(case, fields, f"{town}综治中心", services.clock())
    return {name: _clean(value) for name, value in made.items()}


def _said(case: CaseFile, fields: dict[str, Any], office: str, now_ms: int) -> dict[str, object]:
    party = case.kind.field(PARTIES) if case.kind is not None else None
    parties = fields.get(PARTIES) or {}
    return {
        "office": office,
        "number": case.record.number or "",
        "title": str(fields.get("title") or ""),
        "state": state_said(case.kind, case.record.state, "zh"),
        "printed": day_said(now_ms),
        "groups": [
            {"title": group.title.zh, "rows": [[fact.label, fact.said] for fact in group.facts if fact.said]}
            for group in facts_of(case.kind, fields, "zh")
        ],
        "parties": [entry_said(party, parties[one], "zh") for one in sorted(parties)] if party else [],
        "handling": _handling(case),
        "lists": [
            {"title": one.label, "entries": [[list(pair) for pair in entry.said] for entry in one.entries]}
            for one in lists_of(case.kind, fields, "zh")
            if one.entries
        ],
        "deadlines": [
            [one.title.zh, _at(one.due_ms), _status(one.status, late=one.overdue)]
            for one in case.deadlines.deadlines
        ],
        "slips": [[one.number, one.title.zh, _at(one.made_ms)] for one in case.slips],
        "timeline": [_line(one) for one in reversed(case.timeline)],
    }


_STATUSES: Final = {"running": "计时中", "met": "已办理", "dropped": "不再适用"}


def _status(status: str, *, late: bool) -> str:
    return _STATUSES.get(status, status) + ("（超期）" if late else "")


def _handling(case: CaseFile) -> list[list[str]]:
    rows = [
        ["包案领导", "、".join(one.name for one in case.leaders)],
        ["主办单位", case.handling.lead],
        ["协办单位", "、".join(case.handling.with_units)],
        ["工作专班", case.handling.team],
        ["办理方案", case.handling.plan],
    ]
    return [row for row in rows if row[1]]


def _line(one: Moment) -> list[str]:
    who = f"{one.who}（{TITLES.get(one.role, one.role)}）"
    doubt = f"（时间不确定，±{one.uncertainty_ms // 60_000} 分钟）" if one.uncertain else ""
    told = "；".join(f"{a.label}：{a.before or '（空）'} → {a.after or '（空）'}" for a in one.altered)
    return [
        _at(one.at_ms) + doubt,
        who,
        one.what,
        one.result_said,
        "；".join([*one.words, told] if told else one.words),
    ]


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M")


def _clean(said: Any) -> Any:
    """Every text as paper can show it."""
    if isinstance(said, str):
        return shown(said)
    if isinstance(said, dict):
        return {name: _clean(value) for name, value in said.items()}
    return [_clean(one) for one in said] if isinstance(said, list) else said
