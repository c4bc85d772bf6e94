"""How to look further, in lines that can be copied: they are never folded."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from demo.place import Tokens
from demo.result import Result


class Where(msgspec.Struct, frozen=True):
    """What the lines have to name."""

    folder: Path
    url: str
    tokens: Tokens
    once: bool
    """Whether the service ends with the round."""


def further(result: Result, where: Where, to: Console) -> None:
    """Prints the lines."""
    folder = _short(where.folder)
    device = next(row for row in result.devices if row.role == "crafts_kind")
    store = f"{folder}/devices/worker-{device.device}.rbk"
    record = result.history.record if result.history is not None else ""
    lines = (
        *(
            ((f"roundbook serve --data {folder} --port {where.url.rpartition(':')[2]}"),)
            if where.once
            else ()
        ),
        f"{where.url}/schema",
        f"TOKEN={where.tokens.office}",
        f'curl -sH "Authorization: Bearer $TOKEN" "{where.url}/v1/conflicts"',
        f'curl -sH "Authorization: Bearer $TOKEN" "{where.url}/v1/quarantine"',
        f'curl -sH "Authorization: Bearer $TOKEN" "{where.url}/v1/records/{record}/history"',
        f"ROUNDBOOK_PASSPHRASE=roundbook-demo-{device.device} roundbook-device --store {store} problems",
        f"roundbook doctor --data {folder}",
    )
    to.print()
    to.print(Text("继续查看 look further", style="bold"))
    for line in lines:
        to.print(Text(f"  {line}"), soft_wrap=True)
    to.print()
    to.print(Text(f"日期、人名为模拟 dates and names are invented。{result.seconds} s", style="dim"))
    if result.setting.shared_texts:
        to.print(Text("情况叙述取自 ../shared/data narratives are read from there", style="dim"))


def _short(folder: Path) -> str:
    """A folder as one would type it here."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)
