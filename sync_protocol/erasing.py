"""What is left of a record whose values were erased, and of what its changes said.

An erased record keeps its id, kind, place, state and registration number, and that it was restricted. It is deleted,
so no page brings it and no digest counts it, and every later change of it gets the verdict `erased`. Of a change stay
its id, its number, its times, its outcome, and a fingerprint under a key: without the key nobody can find out by
trying what had been written.
"""

from typing import Final

from sync_protocol.state import RESTRICTED, Marks, RecordState, Writer

ERASED: Final = "erased"
"""The verdict of a change to an erased record, why a record left a device, and the outcome of a receipt."""
EXPIRED: Final = "expired"
"""Why a record left a device whose kind says how many days devices keep it."""


def blank(state: RecordState, writer: Writer) -> None:
    """Takes every value out of a record, and whoever wrote one; `writer` is the erasure.

    Who was not to know of it shall not learn from its tombstone that it was there, so `restricted` stays.
    """
    state.body = {RESTRICTED: True} if state.restricted else {}
    state.marking = Marks([writer])
    state.deleted = state.erased = True
