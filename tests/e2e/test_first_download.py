"""A first download in small pages, while records and grids move under it."""

from collections.abc import Callable

import pytest

from client_sdk import (
    Policy,
    Response,
)
from tests.e2e.links import Link
from tests.e2e.village import (
    GRID,
    GRIDS,
    NEXT_GRID,
    Village,
    assert_converged,
    holds,
    reported,
)

TINY = Policy(page_bytes_max=1_024, page_bytes_min=1_024)
YEAR_MS = 365 * 24 * 3_600_000
SECRET = "周某某要求保密"


def many(village: Village, grid: str, count: int, note: str = "水" * 120) -> list[str]:
    writer = village.device(f"写{grid[-4:]}", grid)
    made = [reported(writer, note=note).id for _ in range(count)]
    assert writer.sync().complete
    return made


def during(link: Link, at: int, act: Callable[[], object]) -> None:
    """Does something on the server between two pages: after the answer of exchange `at`."""

    def down(response: Response) -> Response:
        if link.exchanges == at:
            act()
        return response

    link.down = down


def test_a_record_moves_between_two_grids_of_a_device_during_its_first_download(village: Village) -> None:
    """Tiny pages; each record is moved at each page, both ways, and one is closed, one deleted's kin edited."""
    one, two = many(village, GRID, 6), many(village, NEXT_GRID, 6)
    link = Link(village.link)
    device = village.device("王芳", GRID, NEXT_GRID, transport=link)
    moves = {n: (record, NEXT_GRID if record in one else GRID) for n, record in enumerate([*one, *two], 1)}

    def move(response: Response) -> Response:
        if link.exchanges in moves:
            record, grid = moves[link.exchanges]
            assert village.by_clerk(record, place=grid).result == "applied"
            village.by_clerk(one[-1], fields={"title": f"page {link.exchanges}"})
        return response

    link.down = move
    report = device.sync(policy=TINY)
    assert report.complete
    assert report.reread == ()
    assert link.exchanges > 8
    assert_converged(village, device, GRID, NEXT_GRID)
    assert len(holds(device)) == 12
    assert device.sync().received == 0


@pytest.mark.parametrize("at", range(1, 5))
def test_a_grid_is_taken_between_two_pages_and_given_again(village: Village, at: int) -> None:
    one, two = many(village, GRID, 4), many(village, NEXT_GRID, 4)
    link = Link(village.link)
    device = village.device("王芳", GRID, NEXT_GRID, transport=link)
    steps: dict[int, Callable[[], object]] = {
        at: lambda: village.set_grids(device, GRID),
        at + 1: lambda: village.by_clerk(two[0], place=GRID),
        at + 2: lambda: village.set_grids(device, GRID, NEXT_GRID),
        at + 3: lambda: village.by_clerk(one[0], place=NEXT_GRID),
    }

    def act(response: Response) -> Response:
        steps.pop(link.exchanges, lambda: None)()
        return response

    link.down = act
    reports = [device.sync(policy=TINY) for _ in range(5)]
    assert all(report.complete for report in reports)
    assert {report.reread for report in reports} == {()}
    assert steps == {}
    assert_converged(village, device, GRID, NEXT_GRID)
    village.set_grids(device, NEXT_GRID)
    village.set_grids(device, GRID)
    device.sync(policy=TINY)
    assert_converged(village, device, GRID)


def test_fifty_grids(village: Village) -> None:
    device = village.device("王芳", *GRIDS)
    for grid in GRIDS:
        device.create("well", grid=grid, title=grid)
    assert device.sync().applied == 50
    other = village.device("李强", *GRIDS[10:40])
    assert other.sync(policy=TINY).complete
    assert_converged(village, other, *GRIDS[10:40])
    assert_converged(village, device, *GRIDS)
    village.set_grids(device, *GRIDS[25:])
    device.sync()
    assert_converged(village, device, *GRIDS[25:])
