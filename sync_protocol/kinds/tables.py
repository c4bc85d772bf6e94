"""Code tables: closed lists with a source, shipped as data in `codes/*.toml`.

    name = "scale"
    title = { zh = "事件规模", en = "Scale" }
    source = "…"
    codes = [{ code = "01", zh = "个体性", en = "Individual" }]

A township may replace one: the same form, read with `parse_table`.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from sync_protocol.kinds.declaration import CodeTable
from sync_protocol.kinds.field_checker import check_name, read_choices
from sync_protocol.kinds.reading import read_document
from sync_protocol.kinds.shipped_files import shipped_files


def parse_table(toml_text: str, origin: str) -> CodeTable:
    """The code table that `toml_text` holds. Raises KindError with every finding."""
    reader = read_document(toml_text, origin)
    reader.only(("name", "title", "source", "codes"))
    name = reader.text("name")
    check_name(reader, "name", name, ())
    table = CodeTable(name, reader.title("title"), reader.text("source"), read_choices(reader, "codes"))
    reader.report.refuse()
    return table


@cache
def code_tables() -> Mapping[str, CodeTable]:
    """The code tables that ship, by name."""
    tables = [parse_table(text, name) for name, text in shipped_files("codes")]
    return MappingProxyType({table.name: table for table in tables})
