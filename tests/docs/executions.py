"""The executions of rows 29 to 32 of the failures we know, and one of an exit between two pages.

Each is one that a simpler rule gets wrong; docs/protocol.md walks through them with these numbers.
"""

from typing import Final

from tests.docs.scenarios import NEVER, WELL, WELL_2, by_clerk, new_well, said
from tests.docs.story import Story
from tests.docs.world import GRID_1, GRID_2, START_MS

LONG: Final = "巡" * 350
"""A note of about 1,050 bytes: it fills a page of the least size."""
NOTE: Final = "井台完好。水泵有异响。水质清澈。护栏缺失。无人投诉。"
MINUTE_MS: Final = 60_000


async def row_29(story: Story) -> None:
    """A field is written below the end of a page, and its record is written again above it."""
    a, b = await story.enrolled("A"), await story.enrolled("B")
    await story.sync(a, "A reports two wells", [new_well("A", 1), new_well("A", 2, WELL_2, title="村西水井")])
    await story.sync(b, "B reads both: its answer is complete")
    seen = a.bases[WELL].version
    await story.sync(a, "A renames the first", [said("A", 3, WELL, base=seen, fields={"title": "村东老井"})])
    await story.sync(
        a, "A writes a long note on the second", [said("A", 4, WELL_2, base=seen, fields={"note": LONG})]
    )
    seen = a.bases[WELL].version
    await story.sync(
        a, "A writes the depth of the first", [said("A", 5, WELL, base=seen, fields={"depth": 8.5})]
    )
    await story.sync(b, "B reads its first page of 1,024 bytes: the second well fills it", page_bytes=1024)
    await story.sync(b, "B reads its second page: the first well, with name and depth", page_bytes=1024)


async def row_30_predecessor(story: Story) -> None:
    """A's second edit is made on its first, which the server has merged with B's meanwhile."""
    a, b = await story.enrolled("A"), await story.enrolled("B")
    await story.sync(a, "A reports a well", [new_well("A", 1, note=NOTE)])
    await story.sync(b, "B downloads it")
    seen = b.bases[WELL].version
    mine = NOTE.replace("井台完好", "井台开裂")
    first = said("A", 2, WELL, base=seen, fields={"note": mine})
    other = said("B", 1, WELL, base=seen, fields={"note": NOTE.replace("无人投诉", "三户投诉")})
    await story.sync(b, "B changes the fifth sentence", [other])
    await story.sync(a, "A changed the first sentence; the answer is lost", [first], lost=True)
    second = said(
        "A", 3, WELL, base=seen, on={"note": first["id"]}, fields={"note": mine.replace("清澈", "浑浊")}
    )
    await story.sync(a, "A, who saw only its own first edit, changes the third sentence", [first, second])
    await story.sync(b, "B reads all three")


async def row_30_screen(story: Story) -> None:
    """A page comes while A looks at an older screen; A saves what that screen showed."""
    a, b = await story.enrolled("A"), await story.enrolled("B")
    await story.sync(a, "A reports a well", [new_well("A", 1)])
    await story.sync(b, "B downloads it")
    shown = a.bases[WELL].version
    edit = said("B", 1, WELL, base=shown, at=START_MS + 3 * MINUTE_MS, fields={"title": "东头水井"})
    await story.sync(b, "B renames it at 08:03", [edit])
    await story.sync(a, "A's device reads that in the background; A's screen still shows the old name")
    save = said("A", 2, WELL, base=shown, at=START_MS + 5 * MINUTE_MS, fields={"title": "村东老井"})
    await story.sync(a, "A saves at 08:05 from that screen: the base is the version shown", [save])


async def row_30_chain(story: Story) -> None:
    """A page comes under A's pending edit; A's next edit is made on the pending one, not on the page."""
    a, b = await story.enrolled("A"), await story.enrolled("B")
    await story.sync(a, "A reports a well", [new_well("A", 1)])
    await story.sync(b, "B downloads it")
    shown = a.bases[WELL].version
    edit = said("B", 1, WELL, base=shown, fields={"households": 15})
    await story.sync(b, "B writes 15 households", [edit])
    saved = a.saved(story.world.now_ms + MINUTE_MS + 1_000)
    first = said("A", 2, WELL, base=shown, **saved, fields={"households": 13})
    await story.sync(a, "while this request travels A saves 13; the page brings B's 15 under it")
    paged = a.bases[WELL].version
    second = said("A", 3, WELL, base=paged, on={"households": first["id"]}, fields={"households": 14})
    await story.sync(
        a, "A, whose screen showed its own 13 all the time, writes 14; both are sent", [first, second]
    )


async def row_31(story: Story) -> None:
    """An edit of a record that has left the device's grid is answered with a code, and nothing else."""
    a, b = await story.enrolled("A", [GRID_1]), await story.enrolled("B", [GRID_2])
    await story.sync(a, "A reports a well in grid 001", [new_well("A", 1)])
    seen = a.bases[WELL].version
    await story.office("the clerk moves it to grid 002", by_clerk(1, WELL, seen, place=GRID_2))
    await story.sync(b, "B, in grid 002, reads it")
    note = said("B", 1, WELL, base=b.bases[WELL].version, fields={"note": "户主要求保密。"})
    await story.sync(b, "B writes a note that is not for grid 001", [note])
    edit = said("A", 2, WELL, base=seen, fields={"title": "村东老井"})
    never = said("A", 3, NEVER, base=seen, fields={"title": "村东老井"})
    await story.sync(
        a, "A, offline since, edits it, and a record that never was: the same answer", [edit, never]
    )


async def row_32(story: Story) -> None:
    """A quarantined edit is taken in after its author has written the same field again, on top of it."""
    a = await story.enrolled("A")
    await story.sync(a, "A reports a well", [new_well("A", 1)])
    seen, saved = a.bases[WELL].version, story.world.now_ms
    wrong = {"title": "村东老井", "households": -1}
    older = said("A", 2, WELL, base=seen, at=saved + 10_000, fields=wrong)
    on = {"title": older["id"]}
    newer = said("A", 3, WELL, base=seen, at=saved + 40_000, on=on, fields={"title": "村东新井"})
    says = "A's second change has a wrong number and waits; its third, made on it, is applied"
    await story.sync(a, says, [older, newer])
    corrected = {"fields": {"households": 13}, "reason": "户数核实"}
    await story.replay("the office corrects the number and takes it in", older["id"], **corrected)
    await story.sync(a, "A reads the number that came with it, its own newer name, and the receipt")


async def exit_between_pages(story: Story) -> None:
    """A record moves between two grids of one device, and the second grid is taken away between two pages."""
    a = await story.enrolled("A", [GRID_1, GRID_2])
    await story.sync(a, "A reports two wells in grid 001", [new_well("A", 1), new_well("A", 2, WELL_2)])
    seen = a.bases[WELL].version
    await story.office("the clerk moves the first to grid 002", by_clerk(1, WELL, seen, place=GRID_2))
    await story.office(
        "and writes a long note on the second", by_clerk(2, WELL_2, seen, fields={"note": LONG})
    )
    await story.office("and the depth of the first", by_clerk(3, WELL, seen, fields={"depth": 8.5}))
    await story.sync(a, "A reads a page of 1,024 bytes: the exit, then the second well", page_bytes=1024)
    await story.grids("grid 002 is taken from A", a, [GRID_1])
    await story.sync(a, "A reads the rest", page_bytes=1024)


EXECUTIONS: Final = {
    "row_29": row_29,
    "row_30_predecessor": row_30_predecessor,
    "row_30_screen": row_30_screen,
    "row_30_chain": row_30_chain,
    "row_31": row_31,
    "row_32": row_32,
    "exit_between_pages": exit_between_pages,
}
