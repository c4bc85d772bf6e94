"""Enrolment: a one-time code binds a key pair that is made here and never leaves this device.

The key is kept before it is shown, so that a lost answer can be asked for again with the same code.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from client_sdk.compression import Undecodable, unpacked
from client_sdk.store import keys, locks, meta
from client_sdk.store.database import Tx
from client_sdk.store.meta import Contact, Identity
from client_sdk.store.store import Store, refuse_with_queue
from client_sdk.syncing import CLIENT, failure
from client_sdk.texts import writable
from client_sdk.transport import Response
from client_sdk.trust import Address
from sync_protocol.codec import Malformed, encode, read_enrol_answer
from sync_protocol.codes import CODES
from sync_protocol.errors import Incompatible, Refused, RoundbookError
from sync_protocol.messages import EnrolAnswer, EnrolRequest
from sync_protocol.versions import CURRENT

ENROL_PATH: Final = "/v1/devices/enrol"
_ANSWER_BYTES_MAX: Final = 16 * 2**20
_OK: Final = 200
_SERVER_ERROR: Final = 500


class _Problem(msgspec.Struct):
    code: str = ""


def prepare(store: Store, code: str, random: Callable[[int], bytes]) -> bytes:
    """The body of the request. Raises QueueNotEmpty when another device's changes are unsent here (row 20)."""
    if not writable(code):
        wrong = CODES["code_invalid"]
        raise Refused(wrong.name, f"{wrong.zh} / {wrong.en}", wrong.status)
    with store.inner.write() as tx:
        refuse_with_queue(tx)
        seed = keys.enrolling(tx)
        if seed is None:
            seed = random(keys.SEED_BYTES)
            keys.put_enrolling(tx, seed)
    return encode(EnrolRequest(CURRENT, code, keys.public_text(seed), CLIENT))


def finish(store: Store, at: Address, response: Response, clock: Callable[[], int], epoch: str) -> None:
    """Takes the answer in. Raises Offline when it is none, Refused or Incompatible when it says no."""
    answer = _answer(response)
    with store.inner.write() as tx:
        refuse_with_queue(tx)
        if meta.identity(tx) is not None:
            _start_over(tx)
            store.fork(tx, epoch)
        keys.enrolled(tx, answer.now)
        profile, server = answer.profile, answer.server.rpartition(":")[0]
        meta.put_identity(tx, Identity(at.url, server, profile.device, profile.township, at.authority))
        meta.put_profile(tx, profile)
        meta.put_contact(tx, Contact(answer.now, clock()))
        locks.met(tx, store.running())
    store.keep_recoverable()


def _start_over(tx: Tx) -> None:
    """Another device from now on: what the former one held is not this one's to hold."""
    for table in ("records", "changes", "problems", "reports", "news"):
        tx.run(f"DELETE FROM {table}")  # noqa: S608 (constants)
    for name in (meta.CURSOR, meta.SERIAL, meta.RECEIPTS):
        meta.forget(tx, name)
    locks.start_over(tx)


def _refused(response: Response, body: bytes) -> RoundbookError:
    """A problem document says why; anything else is no answer of ours."""
    if "application/problem+json" not in response.headers.get("content-type", ""):
        return failure("offline", f"http_{response.status}")
    try:
        code = CODES.get(msgspec.json.decode(body, type=_Problem).code)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        code = None
    if code is None or response.status >= _SERVER_ERROR:
        return failure("offline", f"http_{response.status}")
    message = f"{code.zh}：{code.next_zh} / {code.en}: {code.next_en}"
    if code.name == "unsupported_protocol":
        return Incompatible(message)
    return Refused(code.name, message, response.status)


def _answer(response: Response) -> EnrolAnswer:
    try:
        body = unpacked(response.body, response.headers.get("content-encoding", ""), _ANSWER_BYTES_MAX)
    except Undecodable as error:
        raise failure("offline", "not_an_answer") from error
    if response.status != _OK:
        raise _refused(response, body)
    try:
        return read_enrol_answer(body)
    except Malformed as error:
        raise failure("offline", "not_an_answer") from error
