"""Points: WGS-84 in every record; GCJ-02, which maps and phones in China give, is converted when declared.

The conversion inverts the published approximation of the GCJ-02 offset by iteration, to within a metre; a
point outside mainland China's bounding box is the same in both systems.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sync_protocol.errors import InvalidRecord

_AXIS_M: Final = 6378245.0
_ECCENTRICITY: Final = 0.00669342162296594323
_ROUNDS: Final = 6
_WGS84, _GCJ02 = "wgs84", "gcj02"


class Point(msgspec.Struct, frozen=True):
    """A position: degrees, the accuracy in metres if known, and the system that the numbers are in."""

    lat: float
    lon: float
    accuracy_m: float | None = None
    system: str = _WGS84


def wgs84(field: str, value: Point | Mapping[str, Any]) -> dict[str, Any]:
    """The point as records hold it. Raises InvalidRecord for a system that is not known."""
    given = msgspec.structs.asdict(value) if isinstance(value, Point) else dict(value)
    system = str(given.pop("system", _WGS84)).lower().replace("-", "")
    if system not in {_WGS84, _GCJ02}:
        raise InvalidRecord(
            field, f"坐标系只能是 WGS-84 或 GCJ-02 / {system} is not a known system: wgs84, gcj02"
        )
    if given.get("accuracy_m") is None:
        given.pop("accuracy_m", None)
    lat, lon = given.get("lat"), given.get("lon")
    if system == _GCJ02 and isinstance(lat, int | float) and isinstance(lon, int | float):
        given["lat"], given["lon"] = _from_gcj02(float(lat), float(lon))
    return given


def _from_gcj02(lat: float, lon: float) -> tuple[float, float]:
    guess_lat, guess_lon = lat, lon
    for _ in range(_ROUNDS):
        d_lat, d_lon = _offset(guess_lat, guess_lon)
        guess_lat, guess_lon = lat - d_lat, lon - d_lon
    return round(guess_lat, 7), round(guess_lon, 7)


def _offset(lat: float, lon: float) -> tuple[float, float]:
    """By how many degrees GCJ-02 lies off at a WGS-84 position."""
    if not (0.8293 <= lat <= 55.8271 and 72.004 <= lon <= 137.8347):  # noqa: PLR2004 (the published box)
        return 0.0, 0.0
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    wave = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    radians = math.radians(lat)
    magic = 1.0 - _ECCENTRICITY * math.sin(radians) ** 2
    per_lat = (_AXIS_M * (1.0 - _ECCENTRICITY)) / (magic * math.sqrt(magic)) * math.pi / 180.0
    per_lon = _AXIS_M / math.sqrt(magic) * math.cos(radians) * math.pi / 180.0
    return north / per_lat, east / per_lon
