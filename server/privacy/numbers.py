"""Numbers in words that may be somebody's: of a telephone, of an identity card. Pure."""

import re
from typing import Final

LONG_NUMBER: Final = re.compile(r"\d(?:[\s-]?\d){4,}[Xx]?")
"""Five digits or more, with spaces or dashes between them or none."""


def hidden(words: str) -> str:
    """The words with every long number hidden."""
    return LONG_NUMBER.sub(lambda match: "*" * len(match[0]), words)
