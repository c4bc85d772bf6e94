"""What is kept for a restored server of records that this device holds no longer: sealed to the recovery key.

It is done when a record has left, so a save costs nothing, and what the device still shows is not hidden from it.
Where the township has no recovery key, what was kept stays as it is.
"""

from client_sdk.store import keyfile, meta, queue
from client_sdk.store.database import Tx
from sync_protocol.kept import Kept, encode, kept_info
from sync_protocol.signing import encode_bytes


def seal_what_left(tx: Tx) -> None:
    """Seals what was answered of records that are not held and not shown."""
    of, profile = meta.identity(tx), meta.profile(tx)
    if of is None or profile is None or profile.recovery_key is None:
        return
    for id_, record, kind, payload in queue.of_records_that_left(tx):
        sealed = keyfile.sealed_to(profile.recovery_key, payload, kept_info(of.township, id_))
        if sealed is None:
            return
        queue.seal(tx, id_, encode(Kept(id_, record, kind, encode_bytes(sealed))))
