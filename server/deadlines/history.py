"""Stored changes as the moments that clocks are reckoned from. Pure."""

from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec

from server.reckoning.clocks import STATE, Moment
from server.storage.deadline_history import Past
from sync_protocol.history import DELETED, EXISTENCE, Effect
from sync_protocol.kinds import Kind


class _Step(msgspec.Struct, frozen=True):
    to: str


class _Said(msgspec.Struct, frozen=True):
    """Of a change, what deadlines go by."""

    kind: str
    do: str = "edit"
    fields: dict[str, Any] = {}
    act: _Step | None = None


_decode_said: Final = msgspec.json.Decoder(_Said).decode
_decode_effects: Final = msgspec.json.Decoder(tuple[Effect, ...]).decode


def kind_of(pasts: list[Past]) -> str | None:
    """The kind of the record that these happened to; None where nothing happened, or it was erased."""
    said = _said(pasts[0]) if pasts else None
    return said.kind if said is not None else None


def moments(pasts: list[Past], kind: Kind, watched: AbstractSet[str]) -> list[Moment]:
    """What happened to one record; `watched` are the fields whose values rules go by."""
    return [moment for past in pasts if (moment := _moment(past, kind, watched)) is not None]


def _moment(past: Past, kind: Kind, watched: AbstractSet[str]) -> Moment | None:
    said = _said(past)
    if said is None:
        return None
    if said.do == "create":
        initial = kind.workflow.initial if kind.workflow is not None else None
        return Moment(
            past.n,
            past.received_ms,
            said.act.to if said.act is not None else initial,
            {name: value for name, value in said.fields.items() if name in watched},
            frozenset(name for name, value in said.fields.items() if value not in (None, {}, [])),
        )
    effects = _decode_effects(past.effects)
    after = {effect.path: effect.after for effect in effects}
    return Moment(
        past.n,
        past.received_ms,
        after.get(STATE),
        {path: value for path, value in after.items() if path in watched},
        frozenset(_field(effect) for effect in effects if effect.after is not None),
        gone=after.get(EXISTENCE) == DELETED,
    )


def _field(effect: Effect) -> str:
    return effect.path.partition("/")[0]


def _said(past: Past) -> _Said | None:
    """What a change said; None for what was erased."""
    try:
        return _decode_said(past.payload)
    except (ValueError, RecursionError):
        return None
