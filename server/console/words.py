"""The two languages of the pages. Both words of a thing stand beside each other where it is used. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from server.saying import SHANGHAI, Language
from sync_protocol.kinds import Title

LANGUAGE_COOKIE: Final = "roundbook-language"
_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_MINUTE_S: Final = 60


class Words(msgspec.Struct, frozen=True):
    """What a page says things in; templates have it as `t` (a word in two languages) and `w` (all of it)."""

    language: Language

    def __call__(self, zh: str, en: str) -> str:
        """The one of two words that the page speaks."""
        return zh if self.language == "zh" else en

    def title(self, title: Title) -> str:
        """A title of a declaration."""
        return self(title.zh, title.en)

    def moment(self, ms: int | None) -> str:
        """A time of the server, in Asia/Shanghai, to the minute; nothing for none."""
        return "" if ms is None else _at(ms).strftime("%Y-%m-%d %H:%M")

    def day(self, ms: int | None) -> str:
        """The day of a time, in Asia/Shanghai."""
        return "" if ms is None else _at(ms).strftime("%Y-%m-%d")

    def left(self, due_ms: int, now_ms: int) -> str:
        """How long it is until a date, or since: in days, and in hours on the last one."""
        seconds = abs(due_ms - now_ms) // 1000
        days, hours = seconds // _DAY_S, seconds // 3600
        long = self(f"{days} 天", f"{days} d") if days else self(f"{hours} 小时", f"{hours} h")
        return (
            self(f"超期 {long}", f"{long} overdue") if due_ms < now_ms else self(f"剩 {long}", f"{long} left")
        )

    def ago(self, at_ms: int, now_ms: int) -> str:
        """How long something was ago: in days, in hours on the first one, in minutes in the first hour."""
        seconds = max(now_ms - at_ms, 0) // 1000
        if seconds < _MINUTE_S:
            return self("刚刚", "just now")
        if seconds < _HOUR_S:
            return self(f"{seconds // _MINUTE_S} 分钟前", f"{seconds // _MINUTE_S} min ago")
        if seconds < _DAY_S:
            return self(f"{seconds // _HOUR_S} 小时前", f"{seconds // _HOUR_S} h ago")
        return self(f"{seconds // _DAY_S} 天前", f"{seconds // _DAY_S} d ago")


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, SHANGHAI)


def language_of(cookies: Mapping[str, str]) -> Language:
    """The language that a browser asked for; Chinese unless it did."""
    return "en" if cookies.get(LANGUAGE_COOKIE) == "en" else "zh"
