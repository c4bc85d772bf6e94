"""The shared workload's records as changes of a device."""

import importlib.util
import json
import os
import secrets
import time
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec

from sync_protocol.changes import Change, encode
from sync_protocol.ids import uuid7
from sync_protocol.kinds import Kind, parse, shape

HERE: Final = Path(__file__).parent
SHARED: Final = Path(os.environ.get("ROUNDBOOK_SHARED", HERE.parent.parent / "shared"))
TOWNSHIP: Final = "321283104"
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
    fields = {
        name: value for name, value in record.items() if name not in {"id", "grid", "state", "worker_id"}
    }
    fields["stage"], fields["worker_code"] = record["state"], record["worker_id"]
    fields["parties"] = {new_id(): party for party in record["parties"]}
    fields["tags"] = [f"t{_TAGS.index(tag)}" for tag in record["tags"]]
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def creates(records: list[dict[str, Any]], grids: list[str]) -> list[bytes]:
    """Each record as an encoded create, as the SDK writes it, the grids in turn; counters from 1."""
    out = []
    for n, record in enumerate(records, 1):
        body = shape(kind()).check_create(json.dumps(fields_of(record), ensure_ascii=False).encode())
        place = grids[n % len(grids)]
        now = time.time_ns() // 1_000_000
        change = Change(
            new_id(), new_id(), kind().name, 1, n, now, "create", place=place, fields=msgspec.Raw(body)
        )
        out.append(encode(change))
    return out
