"""How to look further, in lines that can be copied: they are never folded."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from demo.place import Links, Tokens
from demo.result import Result
from server.sessions.links import PATH
from server.staff.roles import TITLES


class Where(msgspec.Struct, frozen=True):
    """What the lines have to name."""

    folder: Path
    url: str
    tokens: Tokens
    links: Links
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
        f"TOKEN={where.tokens.look}",
        f'curl -sH "Authorization: Bearer $TOKEN" "{where.url}/v1/conflicts"',
        f'curl -sH "Authorization: Bearer $TOKEN" "{where.url}/v1/quarantine"',
        f'curl -sH "Authorization: Bearer $TOKEN" "{where.url}/v1/records/{record}/history"',
        f'curl -sH "Authorization: Bearer $TOKEN" "{where.url}/v1/figures?measure=found&by=village"',
        f"ROUNDBOOK_PASSPHRASE=roundbook-demo-{device.device} roundbook-device --store {store} problems",
        f"roundbook doctor --data {folder}",
        f"roundbook audit list --data {folder}",
    )
    to.print()
    to.print(Text("继续查看 look further", style="bold"))
    for line in lines:
        to.print(Text(f"  {line}"), soft_wrap=True)
    _invite(where, to)
    to.print()
    to.print(Text(f"日期、人名为模拟 dates and names are invented。{result.seconds} s", style="dim"))
    if result.setting.shared_texts:
        to.print(Text("情况叙述取自 ../shared/data narratives are read from there", style="dim"))


def _invite(where: Where, to: Console) -> None:
    """Whom one may sign in as: each link sets a password, once, for a day."""
    to.print()
    to.print(Text("工作台 the console", style="bold"))
    to.print(Text(f"  {where.url}/office"), soft_wrap=True)
    to.print(Text("  一次性链接，先设密码 one-time links, each to set a password with", style="dim"))
    for colleague, secret in where.links:
        to.print(Text(f"  {colleague.name} {TITLES[colleague.role]} {colleague.role}"), soft_wrap=True)
        to.print(Text(f"    {where.url}{PATH}{secret}"), soft_wrap=True)


def _short(folder: Path) -> str:
    """A folder as one would type it here."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)
