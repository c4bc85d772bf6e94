"""A caller's reach as a condition on records: the one place that turns the value into SQL."""

from typing import Any, Final

from server.reach import Reach

_VILLAGE_DIGITS: Final = 12
_NOTHING: Final = "1 = 0"


def within(reach: Reach, row: str = "records", *, village: str | None = None) -> tuple[str, dict[str, Any]]:
    """The condition that a row of records lies within a reach, and its parameters; :t is the township.

    `row` is the name that the statement gives to the table, or to one that has the columns of it which are asked
    for here; `village` names a column with the village of its place, where the table has one.
    """
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    if not reach.restricted:
        conditions.append(f"({row}.restricted IS NULL OR NOT {row}.restricted)")
    if reach.places is not None:
        named = {f"reach_{at}": place for at, place in enumerate(reach.places)}
        either = " OR ".join(_lies(row, name, place, village) for name, place in named.items())
        conditions.append(f"({either})" if either else _NOTHING)
        parameters |= named
    if reach.unit is not None:
        conditions.append(
            f"{row}.record_id IN (SELECT record_id FROM assignments WHERE township_id = :t "
            "AND unit = :reach_unit)"
        )
        parameters["reach_unit"] = reach.unit
    if reach.leader is not None:
        conditions.append(
            f"({row}.record_id IN (SELECT record_id FROM taken_on WHERE township_id = :t "
            f"AND staff_id = :reach_leader) OR {row}.record_id IN (SELECT record_id FROM deadline_entries "
            "WHERE township_id = :t AND sort = 'extension' "
            "AND (approved IS NULL OR decided_by = :reach_leader)))"
        )
        parameters["reach_leader"] = reach.leader
    if reach.state is not None:
        conditions.append(f"{row}.state = :reach_state")
        parameters["reach_state"] = reach.state
    return " AND ".join(conditions) or "1 = 1", parameters


def of_record(reach: Reach, record_id: str) -> tuple[str, dict[str, Any]]:
    """The condition that the record which a row names in `record_id` exists within a reach."""
    condition, parameters = within(reach, "reached")
    exists = (
        f"EXISTS (SELECT 1 FROM records reached WHERE reached.township_id = :t "
        f"AND reached.record_id = {record_id} AND {condition})"
    )
    return exists, parameters


def _lies(row: str, name: str, place: str, village: str | None) -> str:
    if len(place) == _VILLAGE_DIGITS:
        column = f"{row}.{village}" if village else f"substr({row}.place, 1, {_VILLAGE_DIGITS})"
        return f"{column} = :{name}"
    return f"{row}.place = :{name}"
