"""Where each key of a TOML document stands, because the standard library's reader does not tell.

`lines` walks a text that `tomllib` has accepted: it need not judge, only follow headers, keys, arrays and
inline tables (TOML 1.0.0, toml.io/en/v1.0.0). It reads every key that may appear there, quoted and dotted
ones too.
"""

import re
from bisect import bisect_left
from typing import Final

Path = tuple[str | int, ...]

_SPACE: Final = re.compile(r"[ \t]*")
_GAP: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BASIC: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^']*'")
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + _BASIC.pattern + "|" + _LITERAL.pattern, re.DOTALL
)
_SCALAR: Final = re.compile(r"[^,\]}\r\n#]+")


def lines(text: str) -> dict[Path, int]:
    """The line, counted from 1, of every key of `text`. Elements of arrays have their index in the path."""
    return _Walk(text).document()


class _Walk:
    """A position in the text, and the lines found so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self.ends = [match.start() for match in re.finditer("\n", text)]
        """Where the lines end."""
        self.lengths: dict[Path, int] = {}
        """How many elements the arrays of tables have so far."""

    def document(self) -> dict[Path, int]:
        """Headers and keys to the end of the text."""
        table: Path = ()
        self.skip(_GAP)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(_GAP)
        return self.found

    def header(self) -> Path:
        """[a.b] or [[a.b]]: the path of the table that follows."""
        start = self.at
        array = self.text.startswith("[[", start)
        self.at += 2 if array else 1
        names = self.key()
        self.at += 2 if array else 1
        path: Path = ()
        for name in names[:-1]:
            path = self.inside((*path, name))
        path = (*path, names[-1])
        if array:
            self.note(path, start)
            self.lengths[path] = self.lengths.get(path, 0) + 1
            path = self.inside(path)
        self.note(path, start)
        return path

    def inside(self, path: Path) -> Path:
        """The last element of an array of tables; the path itself for a plain table."""
        return (*path, self.lengths[path] - 1) if path in self.lengths else path

    def pair(self, table: Path) -> None:
        """One `key = value` of `table`."""
        start = self.at
        path = table
        for name in self.key():
            path = (*path, name)
            self.note(path, start)
        self.at += 1
        self.value(path)

    def key(self) -> list[str]:
        """A dotted key, up to what ends it: "=" or "]"."""
        names: list[str] = []
        while True:
            self.skip(_SPACE)
            match = (
                _BARE.match(self.text, self.at)
                or _BASIC.match(self.text, self.at)
                or _LITERAL.match(self.text, self.at)
            )
            if match is None:
                message = f"no key at character {self.at}: the text is not TOML"
                raise ValueError(message)
            names.append(match.group().strip("\"'"))
            self.at = match.end()
            self.skip(_SPACE)
            if self.text[self.at] != ".":
                return names
            self.at += 1

    def value(self, path: Path) -> None:
        """One value; keys inside it are noted."""
        self.skip(_SPACE)
        opening = self.text[self.at]
        if opening == "[":
            self.array(path)
        elif opening == "{":
            self.inline_table(path)
        else:
            match = _STRING.match(self.text, self.at) or _SCALAR.match(self.text, self.at)
            self.at = match.end() if match else self.at + 1

    def array(self, path: Path) -> None:
        """[a, b]: the elements have their index in the path."""
        self.at += 1
        index = 0
        while True:
            self.skip(_GAP)
            if self.text[self.at] == "]":
                break
            self.note((*path, index), self.at)
            self.value((*path, index))
            index += 1
            self.skip(_GAP)
            if self.text[self.at] == ",":
                self.at += 1
        self.at += 1

    def inline_table(self, path: Path) -> None:
        """{a = 1, b = 2}."""
        self.at += 1
        while True:
            self.skip(_GAP)
            if self.text[self.at] == "}":
                break
            self.pair(path)
            self.skip(_GAP)
            if self.text[self.at] == ",":
                self.at += 1
        self.at += 1

    def note(self, path: Path, at: int) -> None:
        """The line of `path`, unless it is known."""
        if path not in self.found:
            self.found[path] = bisect_left(self.ends, at) + 1

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Past what `pattern`, which matches the empty text too, finds here."""
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
