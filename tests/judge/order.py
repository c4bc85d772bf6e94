"""What a history says of the order of its operations: the edges of its dependency graph.

Adya's three dependencies are read off the lists: a list that was read is a prefix of every longer one, so the
longest is the order in which its values were appended. To them come the order of each process and of time.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import networkx as nx

from tests.judge.history import NEVER, Append, Op, Read

WW, WR, RW, PROCESS, TIME = "ww", "wr", "rw", "process", "realtime"


class Lists(msgspec.Struct, frozen=True):
    """What was read and appended, by key and value. Operations are named by their place in the history."""

    order: dict[str, tuple[int, ...]]
    """The longest list that was read of each key."""
    writers: dict[tuple[str, int], int]
    """Of values that took effect: told, or seen in a list."""
    unseen: dict[str, list[int]]
    """Who appended a value of a key that no list shows: it comes after every list of that key."""


def lists(history: Sequence[Op]) -> Lists:
    order: dict[str, tuple[int, ...]] = {}
    for op in history:
        for read in op.reads if op.outcome == "ok" else ():
            order[read.key] = max(order.get(read.key, ()), read.values, key=len)
    seen = {(key, value) for key, values in order.items() for value in values}
    writers = {
        (append.key, append.value): at
        for at, op in enumerate(history)
        for append in op.appends
        if op.outcome == "ok" or (op.outcome == "info" and (append.key, append.value) in seen)
    }
    unseen: dict[str, list[int]] = defaultdict(list)
    for (key, value), writer in writers.items():
        if (key, value) not in seen:
            unseen[key].append(writer)
    return Lists(order, writers, unseen)


def graph(history: Sequence[Op], *, time: bool) -> "nx.MultiDiGraph[int]":
    """Every edge, keyed by its sort; `time` says whether that order is promised."""
    found: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    known = lists(history)
    for before, after, sort in (
        *_appends(known),
        *(edge for at, op in enumerate(history) if op.outcome == "ok" for edge in _reads(known, at, op)),
        *_processes(history),
        *(_times(history) if time else ()),
    ):
        if before != after:
            found.add_edge(before, after, key=sort)
    return found


def _appends(known: Lists) -> Iterator[tuple[int, int, str]]:
    """ww: one appended behind the other. Unseen values stand behind all seen ones, in an order nobody knows."""
    for key, values in known.order.items():
        writers = [known.writers[key, value] for value in values if (key, value) in known.writers]
        yield from ((before, after, WW) for before, after in pairwise(writers))
        yield from ((writers[-1], after, WW) for after in known.unseen[key] if writers)


def _reads(known: Lists, at: int, op: Op) -> Iterator[tuple[int, int, str]]:
    """wr: who wrote what was read; rw: who wrote what was not there yet."""
    own: set[str] = set()
    for step in op.steps:
        if isinstance(step, Append):
            own.add(step.key)
        elif step.key not in own:
            yield from _read(known, at, step)


def _read(known: Lists, at: int, read: Read) -> Iterator[tuple[int, int, str]]:
    values = known.order[read.key]
    if read.values and (writer := known.writers.get((read.key, read.values[-1]))) is not None:
        yield writer, at, WR
    following = [w for v in values[len(read.values) :] if (w := known.writers.get((read.key, v))) is not None]
    yield from ((at, after, RW) for after in (following[:1] or known.unseen[read.key]))


def _processes(history: Sequence[Op]) -> Iterator[tuple[int, int, str]]:
    last: dict[int, int] = {}
    for at in sorted(range(len(history)), key=lambda at: history[at].begun):
        op = history[at]
        if op.outcome != "fail":
            if op.process in last:
                yield last[op.process], at, PROCESS
            last[op.process] = at


def _times(history: Sequence[Op]) -> Iterator[tuple[int, int, str]]:
    """One had ended before the other began; without what follows from other edges of this sort."""
    events = [(op.begun, at, True) for at, op in enumerate(history) if op.outcome != "fail"]
    events += [
        (op.ended, at, False) for at, op in enumerate(history) if op.outcome == "ok" and op.ended != NEVER
    ]
    front: set[int] = set()
    for _, at, begins in sorted(events):
        if begins:
            yield from ((before, at, TIME) for before in front)
        else:
            front = {before for before in front if history[before].ended > history[at].begun} | {at}
