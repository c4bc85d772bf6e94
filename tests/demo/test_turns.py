"""Whoever is first, the server is reached in the order that was drawn."""

import threading
import time

import pytest

from demo.turns import Turns


def reached(order: list[str], exchanges: dict[str, int], delays: dict[str, float]) -> list[str]:
    """In which order devices with so many exchanges reach the server, each after a delay of its own."""
    seen: list[str] = []
    turns = Turns(lambda: None)
    turns.begin(order)

    def sync(name: str) -> None:
        for _ in range(exchanges[name]):
            time.sleep(delays[name])
            with turns.turn(name):
                seen.append(name)
        turns.leave(name)

    threads = [threading.Thread(target=sync, args=(name,)) for name in order]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return seen


def test_the_order_is_the_drawn_one_whoever_is_fast() -> None:
    exchanges = {"a": 1, "b": 3, "c": 2}
    wanted = ["c", "a", "b", "c", "b", "b"]
    assert reached(["c", "a", "b"], exchanges, {"a": 0.0, "b": 0.01, "c": 0.03}) == wanted
    assert reached(["c", "a", "b"], exchanges, {"a": 0.03, "b": 0.0, "c": 0.0}) == wanted


def test_who_is_not_in_the_ring_does_not_wait() -> None:
    turns = Turns(lambda: None)
    with turns.turn("x"):
        pass
    turns.begin(["a"])
    with turns.turn("x"):
        pass
    turns.leave("x")


def test_a_turn_ends_also_when_it_fails() -> None:
    turns = Turns(lambda: None)
    turns.begin(["a", "b"])
    with pytest.raises(ConnectionError), turns.turn("a"):
        raise ConnectionError
    with turns.turn("b"):
        pass
