"""The master key of servers that tests open by themselves."""

from server.vault.keeping import Vault
from server.vault.master import Master

MASTER = Master((bytes(range(32)),))
TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
"""The same, as ROUNDBOOK_MASTER_KEY takes it."""


def vault(master: Master = MASTER) -> Vault:
    """A vault of its own for each engine: what it remembers is of one database."""
    return Vault(lambda: master)
