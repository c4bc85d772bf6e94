"""The shared workload's records as changes of a device."""

import importlib.util
import json
import os
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec

from sync_protocol.changes import Add, Change, Drop, Op, Put, Remove, decode, encode
from sync_protocol.ids import uuid7
from sync_protocol.kinds import Kind, parse, shape
from sync_protocol.messages import PageRecord

HERE: Final = Path(__file__).parent
SHARED: Final = Path(os.environ.get("ROUNDBOOK_SHARED", HERE.parent.parent / "shared"))
TOWNSHIP: Final = "321283104"
_NAMES: Final = {"state": "stage", "worker_id": "worker_code"}
"""The workload's names of fields that the kind names otherwise: its state is no workflow."""
_WORKLOAD_NAMES: Final = {ours: name for name, ours in _NAMES.items()}
_TAGS: Final = [
    "道路",
    "水利",
    "夜间",
    "雨季",
    "跨村",
    "需联合调处",
    "已普法",
    "紧急",
    "公共设施",
    "历史遗留",
]


@cache
def workload() -> ModuleType:
    """The generator of records beside the checkout; it is read from there, not copied."""
    path = SHARED / "bench" / "workload.py"
    spec = importlib.util.spec_from_file_location("workload", path)
    if spec is None or spec.loader is None or not path.exists():
        message = f"the shared workload is not at {path}; set ROUNDBOOK_SHARED to its folder"
        raise SystemExit(message)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def kind() -> Kind:
    """The workload's record as a kind."""
    path = HERE / "screening.toml"
    return parse(path.read_text(encoding="utf-8"), str(path))


def new_id() -> str:
    """A fresh UUIDv7."""
    return uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10))


def fields_of(record: dict[str, Any]) -> dict[str, Any]:
    """One record of the workload as the fields of the kind: the same text, entries keyed by id."""
    fields = {name: value for name, value in record.items() if name not in {"id", "grid", *_NAMES}}
    fields |= {ours: record[name] for name, ours in _NAMES.items()}
    fields["parties"] = {new_id(): party for party in record["parties"]}
    fields["tags"] = [f"t{_TAGS.index(tag)}" for tag in record["tags"]]
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def creates(records: Sequence[dict[str, Any]], grids: Sequence[str], first: int = 1) -> list[msgspec.Raw]:
    """Each record as an encoded create, as the SDK writes it, the grids in turn; counters from `first`."""
    out = []
    for n, record in enumerate(records, first):
        body = shape(kind()).check_create(json.dumps(fields_of(record), ensure_ascii=False).encode())
        place = grids[n % len(grids)]
        change = Change(
            new_id(), new_id(), kind().name, 1, n, _now_ms(), "create", place=place, fields=msgspec.Raw(body)
        )
        out.append(msgspec.Raw(encode(change)))
    return out


def record_of(create: msgspec.Raw) -> str:
    """The record that a create makes."""
    return decode(create).record


class Shown(msgspec.Struct, frozen=True):
    """A record as a device shows it: what an edit is made on."""

    id: str
    version: int
    fields: dict[str, Any]


def shown(page: Sequence[PageRecord]) -> dict[str, Shown]:
    """The records that a first download brought, by id."""
    return {row.id: Shown(row.id, row.n, msgspec.json.decode(row.fields)) for row in page}


def edit(seen: Shown, values: Mapping[str, Any], n: int) -> msgspec.Raw:
    """An edit of one record to the workload's `values`: only what differs travels, sets and lists as operations."""
    fields: dict[str, Any] = {}
    ops: list[Op] = []
    for name, value in values.items():
        if name == "parties":
            ops += [Drop(name, entry) for entry in seen.fields.get(name) or {}]
            ops += [Put(name, new_id(), msgspec.Raw(msgspec.json.encode(party))) for party in value]
        elif name == "tags":
            had, has = set(seen.fields.get(name) or ()), {f"t{_TAGS.index(tag)}" for tag in value}
            ops += [Add(name, tag) for tag in sorted(has - had)]
            ops += [Remove(name, tag) for tag in sorted(had - has)]
        else:
            fields[_NAMES.get(name, name)] = value or None
    change = Change(
        new_id(), seen.id, kind().name, 1, n, _now_ms(), "edit", base=seen.version,
        fields=msgspec.Raw(msgspec.json.encode(fields)), ops=tuple(ops),
    )  # fmt: skip
    return msgspec.Raw(encode(change))


SINGLE: Final = (
    "visit_time", "category", "title", "description", "location", "state", "severity", "follow_up_due",
    "measures",
)  # fmt: skip
"""The workload's fields of one value each: of these, an edit of two fields takes two."""


def two_fields(rng: random.Random, held: Mapping[str, Any]) -> dict[str, Any]:
    """New values for two fields by the kind's names, drawn as the workload draws them until they differ from `held`."""
    fields = [_NAMES.get(name, name) for name in rng.sample(SINGLE, 2)]
    return {field: another(rng, field, held) for field in fields}


def another(rng: random.Random, field: str, *unlike: Mapping[str, Any]) -> Any:
    """A value for one field of the kind that differs from those of all that are given."""
    draw = workload().FIELDS[_WORKLOAD_NAMES.get(field, field)]
    while (value := draw(rng) or None) in [each.get(field) for each in unlike]:
        pass
    return value


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
