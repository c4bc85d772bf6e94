"""A record was erased by the township: whatever this device still keeps of it goes.

Changes that wait to be sent stay until the server has answered them, because nothing saved is dropped on less
than a verdict; that verdict is `erased`, and then they go too.
"""

from client_sdk.store import news, problems, queue, records
from client_sdk.store.database import Tx


def let_go(tx: Tx, record: str, now_ms: int) -> bool:
    """Forgets the base, answered changes, problems and news of a record; whether the base was held.

    Whoever reported it is told that it was erased, and nothing else.
    """
    held = records.version(tx, record) is not None
    records.remove(tx, record)
    queue.forget_answered(tx, record)
    problems.forget_record(tx, record)
    news.erased(tx, record, now_ms)
    return held
