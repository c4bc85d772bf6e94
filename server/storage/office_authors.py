"""Who is behind the author of a change: a device's worker, a person of the office, an application."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import ID, among, many, prepared


async def names(connection: AsyncConnection, township: str, authors: Sequence[str]) -> dict[str, str]:
    """The names of these authors, as far as they are known."""
    if not authors:
        return {}
    statement = (
        "SELECT CAST(d.device_id AS text) AS id, s.name FROM devices d JOIN staff s "
        "ON s.township_id = d.township_id AND s.staff_id = d.staff_id "
        f"WHERE d.township_id = :t AND s.township_id = :t AND {among(connection, 'd.device_id', 'ids', ID)} "
        "UNION ALL SELECT CAST(staff_id AS text), name FROM staff "
        f"WHERE township_id = :t AND {among(connection, 'staff_id', 'ids', ID)} "
        "UNION ALL SELECT CAST(application_id AS text), name FROM applications "
        f"WHERE township_id = :t AND {among(connection, 'application_id', 'ids', ID)}"
    )
    rows = await connection.execute(
        prepared(statement, "id, name"), {"t": township, "ids": many(connection, authors)}
    )
    return {row.id: row.name for row in rows}
