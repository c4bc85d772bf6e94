"""roundbook deadlines check, install, list, run."""

from collections.abc import Mapping
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Any

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.kinds import findings
from server.commands.opening import Data, Database, Json, now_ms, on_database, settings_of
from server.deadlines import installing
from server.deadlines.force import Force
from server.deadlines.installing import InstalledRules
from server.deadlines.keeping import Done, keep
from server.deadlines.shipped import shipped_rules
from server.files import read_text
from server.kinds.registry import Registry
from server.reckoning.rules import MEASURES, Length, Rule, RuleSet, Span
from server.reckoning.spans import year_of
from server.services import Services
from sync_protocol.kinds import Kind, shipped

deadlines = typer.Typer(no_args_is_help=True)
Rules = Annotated[Path, typer.Argument(metavar="FILE.toml", show_default=False)]
Where = Annotated[
    str | None,
    typer.Option(
        "--township",
        metavar="CODE",
        help="Only this township; all that work here when left out.",
        show_default=False,
    ),
]


@deadlines.callback()
def about() -> None:
    """Deadlines 办理时限: rules declared in TOML, official holidays, warnings and escalations."""


@deadlines.command()
def check(*, file: Rules, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """Check a file of rules against the kinds that are installed. Installs nothing.

    Example: roundbook deadlines check our_rules.toml
    """
    text = read_text(file)
    settings = settings_of(data, database)
    with findings(file, as_json=as_json):
        fresh = settings.embedded and not settings.file.exists()
        kinds = shipped() if fresh else on_database(data, database, _kinds)
        rules = installing.check(text, file.name, kinds)
    if as_json:
        output.json({"ok": True, **_counted(rules), "findings": []})
    else:
        output.say(f"{file.name} is in order: {_told(rules)}.")


@deadlines.command()
def install(
    *,
    file: Rules,
    township: Where = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Lay a township's own rules and holidays over those that ship. The file replaces the one before, whole.

    Servers that run reckon every deadline anew, in small steps. What was told already is not told again.

    Example: roundbook deadlines install our_rules.toml --township 321283104
    """
    text = read_text(file)

    async def work(engine: AsyncEngine) -> tuple[RuleSet, list[InstalledRules]]:
        rules = installing.check(text, file.name, await _kinds(engine))
        codes = await installing.working(engine, township)
        return rules, [await installing.install(engine, code, rules, now_ms()) for code in codes]

    with findings(file, as_json=as_json):
        rules, done = on_database(data, database, work)
    if as_json:
        output.json({"ok": True, **_counted(rules), "townships": done})
        return
    for one in done:
        word = "are in force" if one.new else "were in force already"
        output.say(f"{one.township}: {_told(rules)} {word}, as revision {one.revision}.")
    if not done:
        output.say("No township works here yet: `roundbook township open CODE` opens one.")


@deadlines.command("list")
def list_all(
    *, township: Where = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """List the rules that are in force, and the years whose working days are known.

    Example: roundbook deadlines list --township 321283104
    """

    async def work(engine: AsyncEngine) -> Mapping[str, Force]:
        codes = await installing.working(engine, township)
        return await installing.listed(engine, codes)

    found = on_database(data, database, work)
    if as_json:
        output.json([_plain(code, force) for code, force in found.items()])
        return
    rows = [
        (
            code,
            name,
            rule.title.zh,
            rule.title.en,
            _length(rule.length),
            _span(rule.warn),
            _after(rule),
            origin,
        )
        for code, force in found.items()
        for name, rule in force.rules.rules.items()
        for origin in ("shipped" if shipped_rules().rules.get(name) == rule else "own",)
    ]
    named = (output.whole("township"), output.whole("rule"), "名称", "title")
    columns = (*named, "within", "warned before", "escalated after", "from")
    output.table(columns, rows, empty="No township works here yet: `roundbook township open CODE` opens one.")
    for code, force in found.items():
        output.say(f"{code}: working days are known of {', '.join(sorted(force.rules.years))}.")
    _warn(found)


@deadlines.command()
def run(
    *, township: Where = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """Reckon what has changed, and write down warnings and escalations that are due, now.

    A running server does so by itself. Both may run at once: each thing is told once.

    Example: roundbook deadlines run
    """

    async def work(engine: AsyncEngine) -> tuple[dict[str, Done], Mapping[str, Force]]:
        services = Services(engine, Registry(engine, now_ms), now_ms, token_bytes, settings.limits)
        codes = await installing.working(engine, township)
        return {code: await keep(services, code) for code in codes}, await installing.listed(engine, codes)

    settings = settings_of(data, database)
    done, found = on_database(data, database, work)
    if as_json:
        output.json(
            [{"township": code, "reckoned": one.reckoned, "told": one.told} for code, one in done.items()]
        )
        return
    rows = [(code, one.reckoned, one.told) for code, one in done.items()]
    columns = (output.whole("township"), output.number("records reckoned"), output.number("told"))
    output.table(columns, rows, empty="No township works here yet: `roundbook township open CODE` opens one.")
    _warn(found)


async def _kinds(engine: AsyncEngine) -> dict[str, Kind]:
    registry = Registry(engine, now_ms)
    await registry.refresh()
    return {kind.name: kind for kind in registry.current()}


def _warn(found: Mapping[str, Force]) -> None:
    """Says which years have no notice, of those that dates of now may lie in."""
    year = year_of(now_ms())
    for code, force in found.items():
        for silent in force.silent_years({year, year + 1}):
            output.hint(
                f"{code}: no notice says which days of {silent} are worked, so dates that count working days of it "
                "go by weekends alone and are marked: install the year once the State Council has published it."
            )


def _counted(rules: RuleSet) -> dict[str, Any]:
    return {"rules": sorted(rules.rules), "without": sorted(rules.without), "years": sorted(rules.years)}


def _told(rules: RuleSet) -> str:
    years = f", {len(rules.years)} years of holidays" if rules.years else ""
    without = f", without {len(rules.without)} of those that ship" if rules.without else ""
    return f"{len(rules.rules)} rules{without}{years}"


def _span(span: Span | None) -> str | None:
    if span is None:
        return None
    return ", ".join(f"{n} {unit.replace('_', ' ')}" for unit, n in span.given.items()) or "at once"


def _length(length: Length) -> str | None:
    return "the same day" if length.ends == "day" and not any(length.given.values()) else _span(length)


def _after(rule: Rule) -> str | None:
    if rule.escalate is None:
        return None
    measures = "、".join(MEASURES[one].zh for one in rule.escalate.measures)
    return f"{_span(rule.escalate.after)} → {rule.escalate.to} {measures}"


def _plain(code: str, force: Force) -> dict[str, Any]:
    return {
        "township": code,
        "edition": force.edition,
        "revision": force.revision,
        "rules": force.rules.rules,
        "years": {year: one.source for year, one in sorted(force.rules.years.items())},
    }
