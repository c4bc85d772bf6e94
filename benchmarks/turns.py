"""Two sides that take their steps in turn, so that both meet the same noise of a shared machine."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import Final, TypeVar

T = TypeVar("T")
Step = Callable[[], object]
"""One request with its answer, whatever it brings."""
Client = Sequence[Step]
"""What one client does, in this order."""
ROUND: Final = 5
"""Steps of each client in one turn, where several go at once: one alone would mostly wait for the slowest."""


def in_turn(ours: Sequence[Client], floor: Sequence[Client]) -> tuple[float, float]:
    """Seconds that each side took for all of its clients, which go at once; the sides go one after the other.

    A side that has no more to do costs nothing.
    """
    size = 1 if len(ours) == 1 else ROUND
    ours_s = floor_s = 0.0
    with ThreadPoolExecutor(len(ours)) as pool:
        turns = zip_longest(_rounds(ours, size), _rounds(floor, size), fillvalue=[()])
        for our_turn, floor_turn in turns:
            floor_s += _timed(pool, floor_turn)
            ours_s += _timed(pool, our_turn)
    return ours_s, floor_s


def at_once(clients: Sequence[Client]) -> float:
    """Seconds until every client has done all of its steps."""
    with ThreadPoolExecutor(len(clients)) as pool:
        return _timed(pool, clients)


def seconds(work: Step) -> float:
    """How long one step takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def percentile99(each: Sequence[float]) -> float:
    """What ninety-nine of a hundred do not exceed."""
    return sorted(each)[int(len(each) * 0.99)]


def parts(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in their order, `size` at a time."""
    return [items[at : at + size] for at in range(0, len(items), size)]


def _rounds(clients: Sequence[Client], size: int) -> Iterator[list[Client]]:
    longest = max(len(client) for client in clients)
    for at in range(0, longest, size):
        yield [client[at : at + size] for client in clients]


def _timed(pool: ThreadPoolExecutor, clients: Sequence[Client]) -> float:
    start = time.perf_counter()
    if len(clients) == 1:
        _run(clients[0])
    else:
        list(pool.map(_run, clients))
    return time.perf_counter() - start


def _run(client: Client) -> None:
    for step in client:
        step()
