"""Reads a kind from TOML and says everything that is wrong with it at once.

    parse(text, origin)     the kind, or KindError with every finding

What a declaration may say is the section Kinds of the contract; the kinds in `shipped/` are examples.
This module reads the kind itself; fields stand in field_checker.py, the workflow in workflow_checker.py,
what a new version may change in versions.py.
"""

from collections.abc import Mapping
from typing import Final, cast

import msgspec

from sync_protocol.kinds.declaration import (
    RESERVED_NAMES,
    STATE_FIELD,
    Choice,
    CodeTable,
    Field,
    Kind,
    Role,
    Title,
    Workflow,
)
from sync_protocol.kinds.field_checker import check_name, read_fields
from sync_protocol.kinds.person_data import WHY, forbidden_name
from sync_protocol.kinds.reading import Reader, read_document
from sync_protocol.kinds.tables import code_tables
from sync_protocol.kinds.workflow_checker import check_roles, read_workflow

KEEP_DAYS_DEFAULT: Final = 90
"""How long devices keep records of a kind that has no workflow and does not say."""
_KEEP_DAYS_MAX: Final = 3_650
RETAIN_DAYS_MAX: Final = 36_500
_VERSION_MAX: Final = 2**31 - 1


def parse(toml_text: str, origin: str, tables: Mapping[str, CodeTable] | None = None) -> Kind:
    """The kind that `toml_text` declares. `origin` names the file in findings.

    `tables` are the code tables that choices may name, the shipped ones when None. Raises KindError with
    every finding, in the order of the file.
    """
    top = read_document(toml_text, origin)
    top.only(("kind", "fields", "workflow"))
    kind = _read_head(top)
    fields = read_fields(top, "fields", code_tables() if tables is None else tables, RESERVED_NAMES)
    workflow = _read_workflow(top, fields)
    top.report.refuse()
    if workflow is not None:
        fields[STATE_FIELD] = state_field(workflow)
    keep_days = None if workflow else kind.keep_days or KEEP_DAYS_DEFAULT
    return msgspec.structs.replace(kind, fields=fields, workflow=workflow, keep_days=keep_days)


def state_field(workflow: Workflow) -> Field:
    """The field that a kind with this workflow has without listing it."""
    choices = tuple(Choice(state.name, state.title.zh, state.title.en) for state in workflow.states)
    return Field(STATE_FIELD, "choice", Title("办理状态", "State"), "workflow", choices=choices)


def _read_head(top: Reader) -> Kind:
    """The table [kind]; fields and workflow are still missing."""
    reader = top.inside("kind")
    reader.only(("name", "version", "title", "keep_days", "retain_days", "roles"))
    name, title = reader.text("name"), reader.title("title")
    check_name(reader, "name", name, frozenset())
    forbidden = forbidden_name(name, title)
    if forbidden is not None:
        what = forbidden.what
        reader.add("name", Title(f"该类记录涉及{what.zh}", f"the kind is about {what.en}"), WHY)
    roles = reader.names("roles")
    check_roles(reader, roles)
    return Kind(
        name=name,
        version=reader.integer("version", 1, _VERSION_MAX, needed=True) or 1,
        title=title,
        fields={},
        keep_days=reader.integer("keep_days", 1, _KEEP_DAYS_MAX),
        roles=cast("tuple[Role, ...]", roles),
        retain_days=reader.integer("retain_days", 1, RETAIN_DAYS_MAX),
    )


def _read_workflow(top: Reader, fields: Mapping[str, Field]) -> Workflow | None:
    """The table [workflow], None when the kind has none."""
    if "workflow" not in top.table:
        return None
    kind = top.table.get("kind")
    if isinstance(kind, dict) and "keep_days" in kind:
        top.report.add(
            ("kind", "keep_days"),
            Title(
                "有流程的记录办结后即离开设备", "records with a workflow leave devices when they are closed"
            ),
            Title("请删去 keep_days", "Drop keep_days"),
        )
    return read_workflow(top.inside("workflow"), fields)
