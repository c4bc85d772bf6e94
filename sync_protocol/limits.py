"""Every limit of the exchange, with its default. The server's settings may change them."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Sizes in bytes, counts in elements."""

    body_bytes_max: int = 4 * 2**20
    """A request's body as it travels, compressed or not."""
    plain_bytes_max: int = 32 * 2**20
    """The same, decompressed."""
    changes_max: int = 2_000
    field_bytes_max: int = 64 * 2**10
    record_bytes_max: int = 256 * 2**10
    entries_max: int = 500
    ops_max: int = 1_000
    page_bytes_default: int = 512 * 2**10
    page_bytes_max: int = 8 * 2**20
    page_bytes_min: int = 1_024


DEFAULTS = Limits()
