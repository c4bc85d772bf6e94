"""What an administrator does about one matter, and where the words of a citizen lie."""

from collections.abc import Iterator
from typing import Any, Final

from client_sdk import FieldClient, Record
from server.audit.acts import OPERATOR
from server.privacy import matters, searching, showing
from server.privacy.matters import Erased, Holding
from server.privacy.searching import Results, Search
from server.privacy.showing import Held
from server.reach import Caller, Reach
from tests.e2e.village import TOWN, Village, everything_local

WORDS: Final = "灌渠被李家截断"
"""What nobody may find any more once it was erased."""
WHY: Final = "本人申请"
WHO: Final = Caller(
    "01900000-0000-7000-8000-00000000ad01",
    "钱主任",
    "administrator",
    Reach((TOWN,), restricted=True),
    frozenset({"contact:read"}),
)


class Desk:
    """The services, asked as the routes ask them."""

    def __init__(self, village: Village) -> None:
        self.village = village

    def erase(self, name: str, reason: str = WHY) -> Erased:
        return self.village.run(matters.erase_matter(self.village.services, WHO, name, reason))

    def hold(self, name: str, reason: str = "法院调取") -> Holding:
        return self.village.run(matters.hold(self.village.services, WHO, name, reason, by=OPERATOR))

    def lift(self, name: str, reason: str = "案件已结") -> Holding:
        return self.village.run(matters.lift(self.village.services, WHO, name, reason))

    def show(self, name: str, reason: str = WHY) -> Held:
        return self.village.run(showing.show(self.village.services, WHO, name, reason))

    def search(self, text: str, reason: str = "同类事项排查", who: Caller = WHO) -> Results:
        return self.village.run(searching.search(self.village.services, who, Search(text, reason)))

    def tables_with(self, words: str = WORDS) -> set[str]:
        """The tables of the server in which the words stand, in whatever cell."""
        return {
            table
            for table, rows in self.village.rows().items()
            if any(words in text for row in rows for text in _texts(row))
        }


def matter(device: FieldClient, **fields: Any) -> Record:
    """A reported matter that says the words in several fields."""
    given = {
        "nature": "dispute",
        "title": "水渠纠纷",
        "narrative": f"村民反映{WORDS}。",
        "people_involved": 2,
        **fields,
    }
    made = device.create("matter", **given)
    made = device.append(made, "parties", name=f"王大（{WORDS}）", role="applicant", contact="13800138000")
    return device.act(made, "report")


def on_device(device: FieldClient, words: str = WORDS) -> bool:
    """Whether the words stand anywhere in the decrypted store."""
    return words in everything_local(device)


def _texts(row: tuple[Any, ...]) -> Iterator[str]:
    for cell in row:
        yield cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
