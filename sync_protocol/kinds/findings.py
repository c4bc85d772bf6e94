"""What is wrong with a declaration, or with a value: always which field, what came, and what to do.

KindError      a declaration cannot be used; carries every finding of it at once
InvalidField   a value does not fit its field; carries the first one found
"""

from typing import Final, Literal

import msgspec

from sync_protocol.kinds.declaration import Title

InvalidCode = Literal["unknown_field", "invalid_field", "missing_field", "too_long", "too_many_entries"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong with a declaration, and what to write instead, in both languages.

    `key` is the dotted place in the file, "fields.depth.type"; `line` counts from 1, and is 0 when the
    finding does not come from a file.
    """

    file: str
    line: int
    key: str
    problem: Title
    write_instead: Title

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return (
            f"{place}: {self.key}: {self.problem.en}. {self.write_instead.en}. / "
            f"{self.problem.zh}。{self.write_instead.zh}。"
        )


class KindError(ValueError):
    """A declaration cannot be used. `findings` lists all that is wrong with it, in the order of the file."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings: Final = findings


class InvalidField(ValueError):  # noqa: N818 - "invalid field" is what the code in the answer says too
    """A value does not fit its field.

    `path` is where: a field, or "measures/<entry id>/text" inside one; "" when the fields as a whole
    cannot be read. `field` is its first part, `code` the sort of trouble; the reason names the limit and
    what came, in both languages. It never quotes a text: that may be somebody's narrative or number.
    """

    def __init__(self, path: str, reason: Title, code: InvalidCode) -> None:
        super().__init__(f"{path or 'fields'}: {reason.en} / {reason.zh}")
        self.path: Final = path
        self.field: Final = path.partition("/")[0]
        self.reason: Final = reason
        self.code: Final[InvalidCode] = code

    @property
    def reason_en(self) -> str:
        """Why, in English."""
        return self.reason.en

    @property
    def reason_zh(self) -> str:
        """Why, in Chinese."""
        return self.reason.zh
