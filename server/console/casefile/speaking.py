"""Words of a kind's declaration for a page: templates of the case file have it as `s`. Pure."""

from typing import Any, Final

import msgspec

from server.console.words import Words
from server.saying import state_said, value_said
from server.staff.roles import TITLES
from sync_protocol.kinds import Field, Kind, Title

_UNITS: Final = {
    "hours": Title("小时", "hours"),
    "days": Title("天", "days"),
    "working_days": Title("个工作日", "working days"),
    "months": Title("个月", "months"),
}


class Speaking(msgspec.Struct, frozen=True):
    """A kind, and the language of the page."""

    kind: Kind | None
    words: Words

    def state(self, name: str | None) -> str:
        """The title of a state."""
        return state_said(self.kind, name, self.words.language)

    def value(self, field: Field | None, value: Any) -> str:
        """A value of a field."""
        return value_said(field, value, self.words.language)

    def sub(self, field: str, name: str) -> Field | None:
        """A sub-field of a list of entries."""
        found = self.kind.field(field) if self.kind is not None else None
        return found.sub_field(name) if found is not None else None

    def role(self, name: str) -> str:
        """A role, of a person or of an application."""
        return self.words(TITLES.get(name, "应用" if name == "application" else name), name.replace("_", " "))

    def unit(self, name: str | None) -> str:
        """A unit in which deadlines are moved."""
        found = _UNITS.get(name or "")
        return self.words.title(found) if found is not None else name or ""
