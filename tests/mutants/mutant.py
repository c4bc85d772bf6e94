"""What a mutation is."""

import msgspec


class Mutant(msgspec.Struct, frozen=True):
    """One mutation."""

    name: str
    of: tuple[str, ...]
    """Guarantees and rows."""
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    """Each of them must fail, in at least one of its parameters."""
    database: str = "sqlite"
    """What is run: on SQLite, or where that cannot show it, on PostgreSQL."""
