"""A TOML file as a set of rules, and everything that is wrong with it: file, line, what came, what to write.

    edition = 1            only in the file that ships
    without = ["NAME"]     shipped rules that do not count here
    [rules.NAME]           rules.py, Rule
    [years.2026]           rules.py, Year

Names of fields, states and codes are held against the kinds.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeVar

import msgspec

from server.reckoning.clocks import STATE
from server.reckoning.rules import Fact, Rule, RuleSet, Year
from sync_protocol.kinds import Kind, Title
from sync_protocol.kinds.reading import Reader, did_you_mean, read_document, shown
from sync_protocol.kinds.toml_lines import Path

T = TypeVar("T")
RULES_MAX: Final = 200
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
_YEAR: Final = re.compile(r"(19|20)[0-9]{2}")
_PATH: Final = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
_HOLIDAY_MAX: Final = timedelta(days=31)
_CHOICES: Final = frozenset({"choice", "boolean"})


def parse(toml_text: str, origin: str, kinds: Mapping[str, Kind], base: RuleSet | None = None) -> RuleSet:
    """The rules of a file called `origin`, for these kinds by name, to be laid over `base`.

    Without a base it is the file that ships. Raises KindError with every finding.
    """
    reader = read_document(toml_text, origin)
    reader.only(("rules", "years", "edition" if base is None else "without"))
    edition = reader.integer("edition", 1, 2**31, needed=base is None) or 0
    without = reader.names("without")
    _known(reader, ("without",), without, list(base.rules) if base is not None else [])
    rules = dict(_read(reader, "rules", Rule, _NAME))
    years = dict(_read(reader, "years", Year, _YEAR))
    for name, rule in rules.items():
        _check_rule(reader, ("rules", name), rule, kinds)
    for name, year in years.items():
        _check_year(reader, name, year)
    if len(rules) > RULES_MAX:
        most = Title(f"最多 {RULES_MAX} 条", f"At most {RULES_MAX}")
        reader.add("rules", Title("规则过多", f"there are {len(rules)} rules"), most)
    reader.report.refuse()
    return RuleSet(rules, years, without, edition)


def _read(reader: Reader, key: str, form: type[T], named: re.Pattern[str]) -> Iterator[tuple[str, T]]:
    """The tables below a key that have the form; a finding of each that has not."""
    for name, table in reader.tables(key):
        if not named.fullmatch(name):
            instead = Title(f"名称形如 {named.pattern}", f"Write a name such as {named.pattern}")
            table.add("", Title(f"名称 {shown(name)} 不可用", f"{shown(name)} is no name"), instead)
            continue
        try:
            yield name, msgspec.convert(table.table, form)
        except msgspec.ValidationError as error:
            at = _PATH.search(str(error))
            inside = at.group(1).partition("[")[0].split(".") if at and at.group(1) else []
            said = _PATH.sub("", str(error))
            instead = Title("请按 docs/deadlines.md 改正", "Write it as docs/deadlines.md says")
            problem = Title(f"内容不符：{said}", said[:1].lower() + said[1:])
            reader.report.add((*table.path, *inside), problem, instead)


def _check_rule(reader: Reader, at: Path, rule: Rule, kinds: Mapping[str, Kind]) -> None:
    """Notes what the kind of a rule does not know: states, fields, codes."""
    kind = kinds.get(rule.kind)
    if kind is None:
        problem = Title(f"没有表单 {rule.kind}", f"there is no kind {shown(rule.kind)}")
        reader.report.add((*at, "kind"), problem, did_you_mean(rule.kind, kinds))
        return
    if not rule.length.given:
        instead = Title("写 days = 30 之类", "Write hours, days, months or working_days")
        reader.report.add((*at, "length"), Title("没有写时长", "it says no time"), instead)
    states = [state.name for state in kind.workflow.states] if kind.workflow else []
    for key, happening in (("start", rule.start), ("met", rule.met)):
        _known(reader, (*at, key, "entered"), happening.entered, states)
        _known(reader, (*at, key, "written"), happening.written, list(kind.fields))
    for key, facts in (("when", rule.when), ("unless", rule.unless)):
        for name, values in facts.items():
            codes = states if name == STATE else _codes(kind, name)
            if codes is None:
                problem = Title(f"{name} 不是选择栏目", f"{name} is no field with choices")
                choices = [one.name for one in kind.fields.values() if one.type in _CHOICES]
                reader.report.add((*at, key, name), problem, did_you_mean(name, [STATE, *choices]))
            else:
                _known(reader, (*at, key, name), values, codes)


def _codes(kind: Kind, name: str) -> Sequence[Fact] | None:
    """The values that a field may have; None where it is none to choose from."""
    field = kind.field(name)
    if field is None or field.type not in _CHOICES:
        return None
    return [True, False] if field.type == "boolean" else [one.code for one in field.choices]


def _known(reader: Reader, at: Path, values: Sequence[Fact], known: Sequence[Fact]) -> None:
    for value in values:
        if value not in known:
            problem = Title(f"没有 {shown(value)}", f"there is no {shown(value)}")
            reader.report.add(at, problem, did_you_mean(str(value), list(map(str, known))))


def _check_year(reader: Reader, name: str, year: Year) -> None:
    """Notes days of other years, and holidays that end before they begin."""
    for holiday in year.holidays:
        days = (holiday.from_, holiday.to, *holiday.works)
        # New Year's holiday may begin, and its Sunday be worked, in the year before.
        near = int(name) in {day.year for day in days} and all(abs(day.year - int(name)) <= 1 for day in days)
        if not near or not timedelta() <= holiday.to - holiday.from_ < _HOLIDAY_MAX:
            problem = Title(f"{holiday.name} 的日期不对", f"the days of {holiday.name} cannot be right")
            instead = Title("按通知填写起止日", "Write from and to as the notice has them, from not after to")
            reader.report.add(("years", name, "holidays"), problem, instead)
