"""The Chinese font of printed papers: one of the system's packages, in the order in which they are liked."""

from functools import lru_cache
from typing import Final

import typst

from server.refused import RefusedError

LIKED: Final = (
    "FangSong",
    "Noto Serif CJK SC",
    "Source Han Serif SC",
    "Noto Sans CJK SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
)
INSTALL: Final = (
    "apt-get install fonts-noto-cjk (or the smaller fonts-wqy-microhei), then start the server again"
)


class FontsMissing(RefusedError):  # noqa: N818 (it is the fonts that are missing)
    """No Chinese font is installed, so nothing can be printed."""


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """The Chinese fonts of this machine, the best first; looked for once in a process."""
    there = set(typst.Fonts(include_embedded_fonts=False).families())
    return tuple(name for name in LIKED if name in there)


def require() -> tuple[str, ...]:
    """The same; refuses where there is none."""
    found = families()
    if not found:
        message = f"This server has no Chinese font, which papers are printed with: {INSTALL}."
        raise FontsMissing(message)
    return found
