"""The rules and the working days that ship with this program."""

from functools import cache
from importlib.resources import files
from typing import Final

from server.reckoning.reading import parse
from server.reckoning.rules import RuleSet
from sync_protocol.kinds import shipped

FILE: Final = "rules.toml"


@cache
def shipped_rules() -> RuleSet:
    """They are about kinds that ship, so they are held against those."""
    text = (files("server.deadlines") / "data" / FILE).read_text(encoding="utf-8")
    return parse(text, FILE, shipped())
