"""The master key of servers that tests open by themselves."""

from collections.abc import Iterable, Mapping
from typing import Any

from server.vault.keeping import Vault
from server.vault.master import Master, Wrapped
from server.vault.township import TownshipKeys, keys_from

MASTER = Master((bytes(range(32)),))
TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
"""The same, as ROUNDBOOK_MASTER_KEY takes it."""


def vault(master: Master = MASTER) -> Vault:
    """A vault of its own for each engine: what it remembers is of one database."""
    return Vault(lambda: master)


def keys_in(rows: Iterable[Mapping[str, Any]]) -> dict[str, TownshipKeys]:
    """The keys of every township, from the rows of `township_keys`, for tests that read a database by themselves."""
    found: dict[str, dict[str, dict[int, bytes]]] = {}
    for row in rows:
        wrapped = Wrapped(row["master_id"], bytes(row["wrapped"]))
        context = f"{row['township_id']}/{row['purpose']}/{row['number']}"
        numbered = found.setdefault(row["township_id"], {}).setdefault(row["purpose"], {})
        numbered[row["number"]] = MASTER.unwrap(wrapped, context)
    return {town: keys_from(town, keys["data"], keys["hash"][1]) for town, keys in found.items()}
