"""The chain: what an entry's hash is made of, and whether a row of entries is whole. Pure.

    commitment = HMAC-SHA-256(key = salt, detail)
    hash       = SHA-256(["roundbook-audit-1", chain, n, at_ms, act, actor, commitment, previous])

The list is written as JSON without spaces, in ASCII. `previous` is the hash of the entry before, and for the
first one the SHA-256 of ["roundbook-audit-1", chain]. An entry is bound to its detail by the commitment only,
so a detail that has to be erased can go, with its salt, and the chain still verifies. Without the salt nobody
can find out by trying what had stood there.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Final

import msgspec

from server.storage.audit import Entry, Head

INSTALLATION: Final = "roundbook"
"""The chain of what concerns no township; no place code looks like this."""
SALT_BYTES: Final = 16
_FORM: Final = "roundbook-audit-1"
_NEAR: Final = 100
"""How far around its place it is looked for where a moved entry had stood."""


class Fault(msgspec.Struct, frozen=True):
    """Something that does not fit. `what` names the sort, for programs; `n` the entry, or the first of a row."""

    n: int
    what: str
    zh: str
    en: str


class Verified(msgspec.Struct, frozen=True):
    """What a chain turned out to be; whole when there are no faults."""

    township: str
    entries: int
    head: Head | None
    """The last entry found."""
    erased: tuple[int, ...]
    faults: tuple[Fault, ...]


class _Restored(msgspec.Struct, frozen=True):
    """What an entry of a restore says of the chain that it replaced, as far as that could be read."""

    replaced_n: int | None = None
    replaced_hash: str | None = None


def beginning(township: str) -> str:
    """What the first entry of a chain follows on."""
    return _digest(_FORM, township)


def committed(salt: bytes, detail: bytes) -> str:
    """What binds an entry to its detail."""
    return hmac.new(salt, detail, hashlib.sha256).hexdigest()


def hashed(entry: Entry) -> str:
    """What the hash of an entry must be."""
    where, what = (entry.township, entry.n, entry.at_ms), (entry.act, entry.actor)
    return _digest(_FORM, *where, *what, entry.commitment, entry.previous)


def following(head: Head, act: str, actor: str, at_ms: int, detail: bytes, salt: bytes) -> tuple[Entry, Head]:
    """The entry that comes after the head of a chain, and the new head."""
    commitment = committed(salt, detail)
    n = head.n + 1
    open_ = Entry(head.township, n, at_ms, act, actor, detail, salt, commitment, head.hash, "")
    entry = msgspec.structs.replace(open_, hash=hashed(open_))
    return entry, Head(head.township, n, entry.hash)


class Checker:
    """Takes the entries of one chain in the order of their numbers, and says at the end what does not fit.

    `known` are heads that somebody kept elsewhere: only they show that a chain was cut at its end.
    """

    def __init__(self, township: str, known: Iterable[Head] = ()) -> None:
        self._last = Head(township, 0, beginning(township))
        self._known = {head.n: head for head in known if head.township == township}
        self._taken_back: dict[tuple[int, str], int] = {}
        self._faults: list[Fault] = []
        self._erased: list[int] = []
        self._met: set[int] = set()
        self._entries = 0
        self._sound = True

    def take(self, entry: Entry) -> None:
        """Looks at the next entry."""
        self._entries += 1
        sound = self._content(entry)
        # A fault is told once: nothing can follow on an entry that is wrong itself.
        self._order(entry, linked=sound and self._sound)
        self._sound = sound
        self._detail(entry)
        known = self._known.get(entry.n)
        if known is not None and known.hash == entry.hash:
            self._met.add(entry.n)
        if entry.n > self._last.n:
            self._last = Head(entry.township, entry.n, entry.hash)

    def end(self, head: Head | None) -> Verified:
        """What was found; `head` is where the stored head says that the chain ends."""
        last = self._last
        if head is None and self._entries:
            self._fault(last.n, "head", "链尾记录不见了", "the row that says where the chain ends is gone")
        elif head is not None and head.n > last.n:
            self._missing(last.n + 1, head.n)
        elif head is not None and head != last:
            zh = f"链尾记录写的是第 {head.n} 条，与最后一条不符"
            en = f"the stored end of the chain is entry {head.n}, and not this last one as it stands"
            self._fault(last.n, "head", zh, en)
        for known in self._known.values():
            self._cut(known)
        found = last if self._entries else None
        faults = tuple(sorted(self._faults, key=lambda fault: fault.n))
        return Verified(last.township, self._entries, found, tuple(self._erased), faults)

    def _order(self, entry: Entry, *, linked: bool) -> None:
        expected = self._last.n + 1
        if entry.n > expected:
            self._missing(expected, entry.n - 1)
        elif entry.n < expected:
            self._fault(entry.n, "twice", "同一编号出现两次", "its number stands there twice")
        elif linked and entry.previous != self._last.hash:
            zh = f"不接在第 {entry.n - 1} 条之后"
            en = f"it does not follow on entry {entry.n - 1} as that stands: one of the two was exchanged"
            self._fault(entry.n, "link", zh, en)

    def _content(self, entry: Entry) -> bool:
        if hashed(entry) == entry.hash:
            return True
        near = range(max(1, entry.n - _NEAR), entry.n + _NEAR + 1)
        was = next((n for n in near if hashed(msgspec.structs.replace(entry, n=n)) == entry.hash), None)
        if was is None:
            self._fault(entry.n, "changed", "内容与哈希不符", "what it says does not make its hash")
        else:
            self._fault(entry.n, "moved", f"原是第 {was} 条", f"it was entry {was}")
        return False

    def _detail(self, entry: Entry) -> None:
        if entry.detail is None and entry.salt is None:
            self._erased.append(entry.n)
        elif entry.detail is None or entry.salt is None:
            zh, en = "明细或盐值缺了一样", "of its detail and its salt one is missing"
            self._fault(entry.n, "detail", zh, en)
        elif not hmac.compare_digest(committed(entry.salt, entry.detail), entry.commitment):
            self._fault(entry.n, "detail", "明细与承诺不符", "its detail is not what it was written with")
        elif entry.act == "restored":
            self._note_restore(entry.n, entry.detail)

    def _note_restore(self, n: int, detail: bytes) -> None:
        try:
            says = msgspec.json.decode(detail, type=_Restored)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # whoever forged it did not write what Roundbook writes; nothing is excused by it
        self._taken_back[says.replaced_n or 0, says.replaced_hash or ""] = n

    def _missing(self, first: int, last: int) -> None:
        rows = f"{first}" if first == last else f"{first}–{last}"
        self._fault(first, "missing", f"缺少第 {rows} 条", f"entries are missing: {rows}")

    def _cut(self, known: Head) -> None:
        if known.n in self._met or known == Head(known.township, 0, beginning(known.township)):
            return
        restored = self._taken_back.get((known.n, known.hash))
        zh, en = "与另行保存的链尾不符", "the entry that was known of this number is not there any more"
        if restored is not None:
            zh, en = (
                f"{zh}；第 {restored} 条记有恢复备份",
                f"{en}; entry {restored} says that a restore took it back",
            )
        self._fault(known.n, "cut", zh, en)

    def _fault(self, n: int, what: str, zh: str, en: str) -> None:
        self._faults.append(Fault(n, what, zh, en))


def _digest(*said: str | int) -> str:
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()
