"""The kinds that ship: `shipped/*.toml`, as the people of the field describe them (docs: the kinds)."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from sync_protocol.kinds.checker import parse
from sync_protocol.kinds.declaration import Kind
from sync_protocol.kinds.shipped_files import shipped_files


@cache
def shipped() -> Mapping[str, Kind]:
    """The kinds that ship, by name."""
    kinds = [parse(text, name) for name, text in shipped_files("shipped")]
    return MappingProxyType({kind.name: kind for kind in kinds})
