"""What happened to a matter, in words: who, when, from what to what, and what the merge made of it. Pure."""

from typing import Final

import msgspec

from server.records.views import EffectView, HistoryItem
from server.saying import Language, path_said, path_title, pick
from sync_protocol.kinds import Kind, Title

UNCERTAIN_MS: Final = 120_000
"""A time that may be off by more is marked: people compare times to the minute."""
RESULTS: Final = {
    "applied": Title("已采用", "Taken in"),
    "merged": Title("已与他人的修改合并", "Merged with what others changed"),
    "conflict": Title("内容不一致，待核对", "Values differ"),
    "quarantined": Title("暂存待处理", "Waits in quarantine"),
    "replayed": Title("暂存内容已重新采用", "Taken in again from quarantine"),
    "discarded": Title("暂存内容未采用", "Not taken in"),
    "erased": Title("内容已抹去", "Erased"),
}
_DOES: Final = {
    "create": Title("登记", "Registered"),
    "edit": Title("修改", "Edited"),
    "delete": Title("删除", "Deleted"),
}
_DECIDED: Final = Title("核对不一致内容", "Decided what differed")
_ERASED: Final = Title("抹去", "Erased")
_OFFICE: Final = Title("处理暂存内容", "Dealt with what waited")


class Altered(msgspec.Struct, frozen=True):
    """What a change did to one thing; empty where there was, or is, nothing."""

    label: str
    before: str
    after: str


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline."""

    n: int
    change: str
    at_ms: int
    """The server's estimate of when it was written."""
    received_ms: int
    uncertain: bool
    uncertainty_ms: int
    late: bool
    """Whether it arrived so long after it was written that both times are told."""
    who: str
    role: str
    what: str
    result: str
    """A name of RESULTS."""
    result_said: str
    words: list[str]
    """Note and reason."""
    altered: list[Altered]


def moment(item: HistoryItem, kind: Kind | None, language: Language) -> Moment:
    """A change of the history in words."""
    who = item.who
    result = RESULTS.get(item.result)
    return Moment(
        n=item.n,
        change=item.change,
        at_ms=who.estimated_ms,
        received_ms=who.received_ms,
        uncertain=who.uncertainty_ms > UNCERTAIN_MS,
        uncertainty_ms=who.uncertainty_ms,
        late=who.received_ms - who.estimated_ms > UNCERTAIN_MS,
        who=who.author_name or "",
        role=who.role,
        what=_what(item, kind, language),
        result=item.result,
        result_said=pick(result, language) if result is not None else item.result,
        words=[text for text in (item.note, item.reason) if text],
        altered=_altered(item, kind, language),
    )


def _what(item: HistoryItem, kind: Kind | None, language: Language) -> str:
    if item.action is not None and kind is not None and kind.workflow is not None and item.do != "create":
        steps = (step for step in kind.workflow.transitions if step.name == item.action)
        found = next(steps, None)
        return pick(found.title, language) if found is not None else item.action
    if item.decides is not None:
        return pick(_DECIDED, language)
    if item.do is not None:
        return pick(_DOES.get(item.do, Title(item.do, item.do)), language)
    return pick(_ERASED if item.result == "erased" else _OFFICE, language)


def _altered(item: HistoryItem, kind: Kind | None, language: Language) -> list[Altered]:
    if item.do == "create":
        return [
            Altered(path_title(kind, name, language), "", path_said(kind, name, value, language))
            for name, value in item.fields.items()
        ]
    return [_effect(one, kind, language) for one in item.effects]


def _effect(effect: EffectView, kind: Kind | None, language: Language) -> Altered:
    label = path_title(kind, effect.path, language)
    before, after = (path_said(kind, effect.path, one, language) for one in (effect.before, effect.after))
    return Altered(label, before, after)
