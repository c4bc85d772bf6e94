"""Protocol versions, dated, with the reason for each. The server accepts every one since the first."""

from typing import Final

VERSIONS: Final[dict[str, str]] = {
    "2026-11-21": "the first: queue up, page down, one request",
}
CURRENT: Final = "2026-11-21"


def spoken(version: str) -> bool:
    """Whether this code can answer a peer that speaks `version`."""
    return version in VERSIONS
