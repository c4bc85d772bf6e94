"""Which anomalies a history of lists shows: the method of Elle (Kingsbury & Alvaro, VLDB 2020, sections 4 and 5).

Names are those of Adya (1999) and of Elle. What stands in the lists alone is found by looking; everything else is a
cycle of the dependency graph, named by what it needs: only appends (G0), reads of what was written (G1c), one read
of what was overwritten (G-single), several of them (G2). `-process` and `-realtime` behind a name say that the cycle
closes only by the order of one process, or of time.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import msgspec
import networkx as nx

from tests.judge.history import Append, Op, Read, Step, live
from tests.judge.order import PROCESS, RW, TIME, WR, WW, graph, lists

Edges = set[tuple[int, int, str]]
_LEVELS = (("", frozenset[str]()), ("-process", {PROCESS}), ("-realtime", {PROCESS, TIME}))


class Anomaly(msgspec.Struct, frozen=True):
    """Something that the promised consistency rules out, with the operations that show it."""

    name: str
    told: str
    ops: tuple[Op, ...] = ()

    def __str__(self) -> str:
        return "\n    ".join([f"{self.name}: {self.told}", *map(shown, self.ops)])


def judge(history: Sequence[Op]) -> list[Anomaly]:
    """What Roundbook promises (docs/consistency.md): strict serialisability, and for screens that of a session."""
    return anomalies(live(history), time=True) or anomalies(history, time=False)


def anomalies(history: Sequence[Op], *, time: bool) -> list[Anomaly]:
    """Every sort of anomaly, each with its first example; none for a history that is serialisable.

    `time`: demand the order of time, which makes it strict serialisability, not only that of each process.
    """
    found = [anomaly for check in _CHECKS for anomaly in check(history)]
    found += _cycles(history, time=time)
    first: dict[str, Anomaly] = {}
    for anomaly in found:
        first.setdefault(anomaly.name, anomaly)
    return list(first.values())


def shown(op: Op) -> str:
    """An operation in a line."""
    steps = (f"{s.key}+{s.value}" if isinstance(s, Append) else f"{s.key}={list(s.values)}" for s in op.steps)
    return f"process {op.process}, {op.begun}..{op.ended} {op.outcome}: {' '.join(steps)}"


# --- what the lists show by themselves ------------------------------------------------------------------


def _reads(history: Sequence[Op]) -> Iterator[tuple[Op, Read]]:
    return ((op, read) for op in history if op.outcome == "ok" for read in op.reads)


def _duplicates(history: Sequence[Op]) -> Iterator[Anomaly]:
    for op, read in _reads(history):
        twice = [value for value, count in Counter(read.values).items() if count > 1]
        if twice:
            yield Anomaly("duplicate-elements", f"{read.key} holds {twice} more than once", (op,))


def _orders(history: Sequence[Op]) -> Iterator[Anomaly]:
    order = lists(history).order
    for op, read in _reads(history):
        if order[read.key][: len(read.values)] != read.values:
            told = f"{read.key} was {list(read.values)}, which is no beginning of {list(order[read.key])}"
            yield Anomaly("incompatible-order", told, (op,))


def _writers(history: Sequence[Op]) -> dict[tuple[str, int], Op]:
    return {(append.key, append.value): op for op in history for append in op.appends}


def _aborted(history: Sequence[Op]) -> Iterator[Anomaly]:
    """G1a, and a value that nobody wrote."""
    writers = _writers(history)
    for op, read in _reads(history):
        for value in read.values:
            writer = writers.get((read.key, value))
            if writer is None:
                yield Anomaly("phantom", f"nobody appended {value} to {read.key}", (op,))
            elif writer.outcome == "fail":
                yield Anomaly("G1a", f"{read.key} holds {value}, which had been refused", (writer, op))


def _intermediate(history: Sequence[Op]) -> Iterator[Anomaly]:
    """G1b: a list that ends in the middle of another operation."""
    writers = _writers(history)
    for op, read in _reads(history):
        writer = writers.get((read.key, read.values[-1])) if read.values else None
        if writer is None or writer is op:
            continue
        later = [append.value for append in writer.appends if append.key == read.key]
        if read.values[-1] != later[-1]:
            told = f"{read.key} ends with {read.values[-1]}, and {later} were appended together"
            yield Anomaly("G1b", told, (writer, op))


def _internal(history: Sequence[Op]) -> Iterator[Anomaly]:
    """An operation that does not see what itself read and appended."""
    for op in history:
        expected: dict[str, tuple[int, ...]] = {}
        tails: dict[str, tuple[int, ...]] = {}
        for step in op.steps if op.outcome == "ok" else ():
            if _disagrees(step, expected, tails):
                yield Anomaly("internal", f"a read of {step.key} contradicts the steps before it", (op,))


def _disagrees(step: Step, expected: dict[str, tuple[int, ...]], tails: dict[str, tuple[int, ...]]) -> bool:
    if isinstance(step, Append):
        tails[step.key] = (*tails.get(step.key, ()), step.value)
        return False
    known, tail = expected.get(step.key), tails.get(step.key, ())
    whole = step.values if known is None else (*known, *tail)
    wrong = step.values != whole or (len(tail) > 0 and step.values[-len(tail) :] != tail)
    expected[step.key], tails[step.key] = step.values, ()
    return wrong


def _lost_updates(history: Sequence[Op]) -> Iterator[Anomaly]:
    """Two operations read the same list and both put something behind it."""
    built: dict[Read, Op] = {}
    for op, read in _reads(history):
        if not any(append.key == read.key for append in op.appends) or read != _first(op, read.key):
            continue
        if read in built:
            told = f"both were made on {read.key}={list(read.values)}"
            yield Anomaly("lost-update", told, (built[read], op))
        built[read] = op


def _first(op: Op, key: str) -> Step:
    return next(step for step in op.steps if step.key == key)


_CHECKS: tuple[Callable[[Sequence[Op]], Iterator[Anomaly]], ...] = (
    _duplicates,
    _orders,
    _aborted,
    _intermediate,
    _internal,
    _lost_updates,
)


# --- cycles ---------------------------------------------------------------------------------------------


def _cycles(history: Sequence[Op], *, time: bool) -> Iterator[Anomaly]:
    """For each strongly connected part of the graph the strongest name that a cycle of it deserves."""
    whole = graph(history, time=time)
    for part in nx.strongly_connected_components(whole):
        if len(part) > 1:
            name, cycle = _named(whole.subgraph(part))
            yield Anomaly(name, _told(whole, cycle), tuple(history[at] for at in cycle))


def _named(part: "nx.MultiDiGraph[int]") -> tuple[str, list[int]]:
    edges: Edges = set(part.edges(keys=True))
    for suffix, orders in _LEVELS:
        for name, sorts in (("G0", {WW}), ("G1c", {WW, WR})):
            if cycle := _cycle(_only(edges, sorts | orders)):
                return name + suffix, cycle
        if cycle := _with_one(edges, {WW, WR} | orders):
            return f"G-single{suffix}", cycle
        if cycle := _cycle(_only(edges, {WW, WR, RW} | orders)):
            return f"G2{suffix}", cycle
    message = f"a connected part without a cycle: {sorted(part)}"
    raise AssertionError(message)


def _only(edges: Edges, sorts: "frozenset[str] | set[str]") -> "nx.DiGraph[int]":
    return nx.DiGraph([(before, after) for before, after, sort in edges if sort in sorts])


def _cycle(edges: "nx.DiGraph[int]") -> list[int]:
    """Some cycle, from a shortest way back along one of its edges; empty when there is none."""
    parts = [part for part in nx.strongly_connected_components(edges) if len(part) > 1]
    if not parts:
        return []
    part = edges.subgraph(min(parts, key=len))
    before, after = min(part.edges)
    return list(nx.shortest_path(part, after, before))


def _with_one(edges: Edges, sorts: set[str]) -> list[int]:
    """A cycle with exactly one rw edge."""
    others = _only(edges, sorts)
    for before, after, sort in sorted(edges):
        if sort == RW and before in others and after in others and nx.has_path(others, after, before):
            return list(nx.shortest_path(others, after, before))
    return []


def _told(whole: "nx.MultiDiGraph[int]", cycle: list[int]) -> str:
    """The sorts of edges along a cycle, from its first operation round to it."""
    return " ".join("/".join(sorted(whole[a][b])) for a, b in pairwise([*cycle, cycle[0]]))
