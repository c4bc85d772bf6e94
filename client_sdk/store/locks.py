"""Why a store stays closed to its worker though every file is whole: its lease has ended, or the device was revoked.

What closes it stands in the store, so it holds for every program that has it open. A sync goes on all the same,
through `Store.inner`: a contact ends the lease's lock, and a revoked device hands in what it has not sent.
"""

from typing import Final

from client_sdk.store import meta
from client_sdk.store.database import Tx
from sync_protocol.errors import Revoked, RoundbookError, StoreLocked
from sync_protocol.lease import Running, State, Watch, elapsed_ms, look, since_contact_ms
from sync_protocol.lease import met as met_now

_LOCK, _WATCH = "locked", "lease_watch"
_LEASE, _REVOKED = "lease", "revoked"
OVER: Final = (
    "本机太久没有联系镇里，口令已不能打开：请交给镇里恢复，内容都在 / this store was away too long and its passphrase "
    "opens it no longer: take it to the township, which can (roundbook device recover); nothing is lost"
)


def require_open(tx: Tx) -> None:
    """Raises StoreLocked or Revoked, with the next step, while the store is closed to its worker."""
    found = reason(tx)
    if found is not None:
        raise found


def require_taking(tx: Tx) -> None:
    """Raises Revoked: a store whose lease has ended shows nothing, but takes what is new."""
    if is_revoked(tx):
        raise revoked()


def reason(tx: Tx) -> RoundbookError | None:
    """What require_open raises."""
    match meta.text(tx, _LOCK):
        case None:
            return None
        case "revoked":
            return revoked()
        case _:
            return StoreLocked(
                "本机太久没有联系镇里，已锁定：连上网络同步一次即可打开，内容都在；新记录照常保存（roundbook-device "
                "create）；本机时间若不准，请今天就改对 / this store was away from its server too long: one sync opens "
                "it again (roundbook-device sync); nothing is lost, and new records are still saved (roundbook-device "
                "create); if this device's clock is wrong, set it right today"
            )


def revoked() -> Revoked:
    """The error of a store whose device was revoked."""
    return Revoked(
        "本机已停用，还没上传的在下次同步时交给镇里，然后清除 / this device was revoked: the next sync hands in "
        "what was not sent, then the store is wiped"
    )


def revoke(tx: Tx) -> None:
    """The server has said that this device, or this copy of it, reads nothing any more: for ever."""
    meta.put(tx, _LOCK, _REVOKED)


def is_revoked(tx: Tx) -> bool:
    """Whether it has said so."""
    return meta.text(tx, _LOCK) == _REVOKED


def met(tx: Tx, running: Running | None) -> None:
    """A contact with the server: the lease begins anew."""
    meta.put_value(tx, _WATCH, met_now(running))
    if meta.text(tx, _LOCK) == _LEASE:
        meta.forget(tx, _LOCK)


def start_over(tx: Tx) -> None:
    """Another device from now on."""
    meta.forget(tx, _WATCH)
    meta.forget(tx, _LOCK)


def look_at_lease(tx: Tx, now_ms: int, running: Running | None) -> State:
    """What the lease allows when the store is opened at `now_ms` by the device's clock; locks it if need be."""
    contact, profile = meta.contact(tx), meta.profile(tx)
    if contact is None or profile is None:
        return "open"
    before = meta.get(tx, _WATCH, Watch) or Watch()
    by_clock_ms = since_contact_ms(now_ms, contact.server_ms, contact.device_ms)
    state, watch = look(before, elapsed_ms(before, running, by_clock_ms), profile.lease_days, running)
    if watch != before:
        meta.put_value(tx, _WATCH, watch)
    if state != "open" and meta.text(tx, _LOCK) is None:
        meta.put(tx, _LOCK, _LEASE)
    return state
