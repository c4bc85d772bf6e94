"""Every page of the console, by the name of its picture: what the sweep looks at, and what the guide shows."""

from typing import Final

from tests.browser.tasks.furnishing import DIFFERING, PAIRS, Town

TOO_WIDE: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
GUIDE: Final = (
    *("inbox", "reported", "differences", "difference", "pair", "quarantined"),
    *("register", "ledger", "case", "answer", "rounds", "devices"),
)
"""Those that docs/office-guide.zh.md shows."""


def clerks_pages(town: Town) -> dict[str, str]:
    """A clerk's pages, and their paths; those of what waits are opened from their lists."""
    busy = f"/matters/{town.records['征地青苗补偿款三年未到户']}"
    one, other = (town.records[title] for title in PAIRS[0])
    paths = {
        "inbox": "",
        "reported": "/inbox/reported",
        "register": "/new",
        "ledger": "/ledger",
        "differences": "/differences",
        "duplicates": "/duplicates",
        "pair": f"/duplicates/{one}/{other}",
        "quarantine": "/quarantine",
        "unplaced": "/unplaced",
        "rounds": "/rounds",
        "import": "/import",
        "case": busy,
        "return": f"/matters/{town.records['低保复核结果没有告知本人']}/steps/return",
        "assign": f"/matters/{town.records['鱼塘被邻村鸭群糟蹋']}/steps/assign",
        "answer": f"/matters/{town.records['砖厂拖欠农民工工资']}/steps/answer",
        "entry": f"{busy}/entries/measures/new",
        "slip": f"{busy}/slips/new/answer",
        "handling": f"{busy}/handling",
        "affair-new": f"/affairs/new?of={town.numbers[DIFFERING[0]]}",
        "affair": busy.replace("matters", "affairs"),
        "villages": "/settings/villages",
    }
    return {name: f"/office{path}" for name, path in paths.items()}


OPENED: Final = {"difference": "/office/differences", "quarantined": "/office/quarantine"}
"""Pages that are opened by the first line of a list."""

ADMINISTRATORS: Final = {
    "people": "/office/people",
    "devices": "/office/devices",
    "places": "/office/places",
    "slips": "/office/settings/slips",
}
ADMINISTRATORS_OPENED: Final = {"device": "/office/devices", "person": "/office/people"}
