"""The exchange by file, on the device: a sync whose request and answer are carried by hand (sync_protocol/files.py).

A request file is a sync request like any other. Its answer is taken only while nothing has been exchanged
since the file was written, because a page belongs to the cursor that asked for it. Whatever is stale, foreign,
doubled or cut changes nothing: what was not answered stays in the queue, and ids make sending it again harmless.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from client_sdk.compression import Undecodable, unpacked
from client_sdk.store import meta
from client_sdk.store.answers import apply_answer
from client_sdk.store.meta import Asked
from client_sdk.store.store import Store
from client_sdk.syncing import Steps, not_enrolled, wipe_revoked
from sync_protocol.codec import Malformed, read_answer
from sync_protocol.errors import Refused, StoreDamaged, StoreFull
from sync_protocol.files import (
    NONCE_BYTES,
    Carried,
    Envelope,
    NotAFile,
    pack,
    pack_carried,
    unpack,
    unpack_carried,
)
from sync_protocol.messages import SyncAnswer
from sync_protocol.session import Policy, SyncSession, lasting
from sync_protocol.session_steps import Applied, Collect, Exchange
from sync_protocol.signing import decode_bytes

POLICY: Final = Policy(changes_max=2_000, batch_bytes_max=3 * 2**20, page_bytes_max=8 * 2**20)
"""One file carries as much as a request may: the way there and back is long."""
ASKED_MAX: Final = 8
"""Requests whose answers are still waited for."""
_PLAIN_BYTES_MAX: Final = 64 * 2**20


class Taken(msgspec.Struct, frozen=True):
    """What an answer file did."""

    answered: int
    """Changes that the township has received."""
    received: int
    """Records that came."""
    left: int
    """Changes that still wait."""
    complete: bool
    """False when there is more to send or to read: write another request file."""


def write_request(store: Store, steps: Steps, path: Path, random: Callable[[int], bytes]) -> int:
    """Writes a request file with what waits; how many changes. Raises Refused before the first contact.

    Nothing leaves the queue: only an answer ends an entry.
    """
    with store.inner.read() as tx:
        identity, key = meta.identity(tx), _key(meta.profile(tx))
        reread = meta.reread(tx)
    if identity is None:
        raise not_enrolled()
    session = SyncSession(POLICY, reread)
    action = session.begin()
    collected = steps.collect(action) if isinstance(action, Collect) else None
    asking = session.handle(collected) if collected is not None else None
    if collected is None or not isinstance(asking, Exchange):
        message = "a session begins with a request"
        raise RuntimeError(message)
    outgoing = steps.dress(asking, "zstd")  # an answer in a file is read without its request at hand
    bare = Envelope("request", identity.township, identity.device, random(NONCE_BYTES), b"")
    plain = pack_carried(Carried(outgoing.headers, outgoing.body))
    sealed = AESGCM(key).encrypt(bare.nonce, plain, bare.bound)
    with store.inner.write() as tx:
        asked = Asked(collected.nonce, collected.ids, collected.cursor)
        meta.put_asked(tx, (*meta.asked(tx), asked)[-ASKED_MAX:])
    _write(path, pack(msgspec.structs.replace(bare, sealed=sealed)))
    return len(collected.ids)


def take_answer(store: Store, path: Path, now_ms: int, new_epoch: Callable[[], str]) -> Taken:
    """Applies an answer file, durably.

    Raises Refused for one that is not for this device now, StoreDamaged for one that is none.
    """
    answer, asked = _read(store, path)
    applied = apply_answer(store, answer, asked.ids, now_ms, None, new_epoch)
    with store.inner.write() as tx:
        meta.put_asked(tx, tuple(one for one in meta.asked(tx) if one.nonce != asked.nonce))
        meta.put_reread(tx, applied.reread)
    store.keep_recoverable()
    if answer.revoked:
        wipe_revoked(store)
    return _taken(answer, applied)


def _taken(answer: SyncAnswer, applied: Applied) -> Taken:
    done = answer.page is not None and answer.page.complete and not applied.left and not applied.reread
    return Taken(len(answer.verdicts) + len(answer.unanswered), applied.received, applied.left, done)


def _read(store: Store, path: Path) -> tuple[SyncAnswer, Asked]:
    """The answer in a file, and the request that it answers."""
    with store.inner.read() as tx:
        identity, key = meta.identity(tx), _key(meta.profile(tx))
        cursor, open_ones = meta.text(tx, meta.CURSOR), meta.asked(tx)
    try:
        envelope = unpack(path.read_bytes(), "answer")
        if identity is None or (envelope.township, envelope.device) != (identity.township, identity.device):
            raise _refused("not_for_this_device")
        carried = unpack_carried(AESGCM(key).decrypt(envelope.nonce, envelope.sealed, envelope.bound))
        encoding = carried.headers.get("content-encoding", "")
        answer = read_answer(unpacked(carried.body, encoding, _PLAIN_BYTES_MAX))
    except (NotAFile, InvalidTag, Undecodable, Malformed, OSError) as error:
        message = (
            f"{path.name} 不是完好的回复文件，请重新拷贝 / {path.name} is no answer file, or not a whole one: "
            "copy it again; nothing was changed"
        )
        raise StoreDamaged(message) from error
    asked = next((one for one in open_ones if one.nonce == answer.nonce), None)
    if asked is None or asked.cursor != cursor or answer.server.rpartition(":")[0] != identity.server:
        raise _refused("answer_stale")
    return lasting(answer), asked


def _key(profile: object) -> bytes:
    """The key of this device's files, which came with its profile."""
    key = getattr(profile, "file_key", None)
    if key is None:
        raise _refused("no_file_key")
    return decode_bytes(key)


_WORDS: Final = {
    "not_for_this_device": (
        "这个文件是给另一台设备的，本机内容不变",
        "this file is for another device; nothing was changed here",
    ),
    "answer_stale": (
        "这份回复已接收过，或写出请求后又同步过：本机内容不变，请重新写请求文件",
        "taken in before, or something was exchanged since: nothing was changed; write a new request file",
    ),
    "no_file_key": (
        "本机还不能用文件交换：请先登记并联网同步一次",
        "this device cannot exchange by file yet: enrol it, and sync once over a network",
    ),
}


def _refused(code: str) -> Refused:
    zh, en = _WORDS[code]
    return Refused(code, f"{zh} / {en}")


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        message = (
            f"无法写入 {path.name} / {path.name} cannot be written ({error.strerror}): name another place"
        )
        raise StoreFull(message) from error
