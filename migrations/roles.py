"""What every connection of the server's role is given by PostgreSQL itself (rules Q6 and E3).

Sessions set nothing, so that a pooler may hand connections round between transactions. The role carries the
time-outs, and plans are made once for all townships instead of being guessed anew.
"""

import asyncio
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

DEFAULTS: Final = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "plan_cache_mode": "force_generic_plan",
}
CITUS_DEFAULTS: Final = {"citus.override_table_visibility": "off"}
"""Without it, asyncpg's look at the types costs each new connection 390 ms."""


class RoleDefaults(msgspec.Struct, frozen=True):
    """Which settings the role has now, and which it must not give itself."""

    done: tuple[str, ...]
    refused: tuple[str, ...]


def set_role_defaults(url: str) -> RoleDefaults:
    """Sets the defaults of the role of `url` in its database. What the role may not set is left out."""
    return asyncio.run(_set(url))


async def _set(url: str) -> RoleDefaults:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            database = (await connection.execute(text("SELECT quote_ident(current_database())"))).scalar_one()
            citus = await connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'citus'"))
            wanted = DEFAULTS | (CITUS_DEFAULTS if citus.scalar() is not None else {})
            results = {
                name: await _alter(connection, database, name, value) for name, value in wanted.items()
            }
    finally:
        await engine.dispose()
    done = tuple(name for name, ok in results.items() if ok)
    return RoleDefaults(done, tuple(name for name in results if name not in done))


async def _alter(connection: AsyncConnection, database: str, name: str, value: str) -> bool:
    try:
        async with connection.begin_nested():
            await connection.execute(
                text(f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET {name} = '{value}'")
            )
    except DBAPIError:
        # Not the owner of the role, or a service that does not let roles be changed: it works without.
        return False
    return True
