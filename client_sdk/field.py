"""FieldClient: a device, blocking. Everything but `enrol` and `sync` works without a network."""

import secrets
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import msgspec

from client_sdk import by_file, enrolling, rescue, syncing
from client_sdk.answering import answer_problem
from client_sdk.by_file import Taken
from client_sdk.field_edits import Edits
from client_sdk.field_views import Views
from client_sdk.invited import place_and_code
from client_sdk.problem import Answer, Problem, Told, told
from client_sdk.reading import Reading
from client_sdk.record import Record
from client_sdk.running import this_machine
from client_sdk.saving import Saving
from client_sdk.store import keys, meta
from client_sdk.store.store import Store, open_store
from client_sdk.syncing import OnProgress, Steps
from client_sdk.transport import HttpTransport, LinkBroken, Response, Transport
from client_sdk.trust import Address, pinned, read_authority, township_time_ms, vouched
from sync_protocol.ids import RANDOM_BYTES, uuid7
from sync_protocol.lease import Running
from sync_protocol.session import Policy, SyncSession
from sync_protocol.session_report import SyncReport

Clock = Callable[[], int]
Random = Callable[[int], bytes]


def system_clock() -> int:
    """The device's clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class FieldClient(Edits, Views):
    """One device. Safe to use from any thread; saving is allowed while a sync runs."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock = system_clock,
        random: Random = secrets.token_bytes,
        transport: Transport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Use `FieldClient.open`."""
        self._clock, self._random, self._sleep = clock, random, sleep
        self._given = transport
        self._connected: tuple[Address, Transport] | None = None

        def new_id() -> str:
            return uuid7(clock(), random(RANDOM_BYTES))

        Edits.__init__(self, Saving(store, clock, new_id), new_id)
        Views.__init__(self, store)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        passphrase: str,
        clock: Clock = system_clock,
        random: Random = secrets.token_bytes,
        transport: Transport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        running: Callable[[], Running | None] | None = None,
        to_sync: bool = False,
    ) -> Self:
        """Opens the device's store, or creates it. `transport` replaces HTTP, `clock` and `random` the system's.

        `running` tells how long the machine has been running; this one's own time, unless a clock is handed in.

        Raises WrongPassphrase, StoreDamaged, StoreFull, Incompatible; StoreLocked when its lease has ended, Revoked
        when its device was revoked. With `to_sync` it opens all the same where its passphrase still fits, and shows
        nothing before a sync has opened it again. Where its lease has ended it takes new records meanwhile: `create`,
        and edits of what was created since this opening.
        """

        def new_epoch() -> str:
            return uuid7(clock(), random(RANDOM_BYTES))

        running = running or (this_machine if clock is system_clock else lambda: None)
        store = open_store(Path(path), passphrase, new_epoch, random, clock, running)
        if not to_sync:
            store.require_open()
        return cls(store, clock=clock, random=random, transport=transport, sleep=sleep)

    def close(self) -> None:
        """Closes the store and the connections; a transport that was handed in stays open."""
        if self._connected is not None:
            self._connected[1].close()
            self._connected = None
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # With the server

    def enrol(self, url: str, *, code: str | None = None, ca: str | Path | None = None) -> None:
        """Makes this store a device of the server at `url`, by a one-time code; or by the text of a QR code alone.

        `ca` names a PEM file: from now on this device believes a server of that authority alone, and keeps its
        certificate in the store.

        Raises Offline, Refused (`server_code` code_invalid), or QueueNotEmpty when another device's changes
        are unsent here. After Offline the same code may be tried again while it is valid.
        """
        at, given = place_and_code(url, code, ca)
        body = self.ask_to_enrol(given)
        try:
            response = self._transport(at).exchange(
                "POST", enrolling.ENROL_PATH, syncing.json_headers(), body
            )
        except LinkBroken as error:
            raise syncing.failure("offline", error.reason) from error
        self.enrolled(at, response)

    def set_server(self, url: str, *, ca: str | Path | None = None) -> None:
        """The server has another address, or another authority; identity and queue stay.

        Without `ca`, an authority that was pinned stays. Raises NotEnrolled, or Refused for a `ca` that is none.
        """
        authority = None if ca is None else read_authority(ca)
        with self._store.inner.write() as tx:
            identity = meta.identity(tx)
            if identity is None:
                raise syncing.not_enrolled()
            at = vouched(url, authority or identity.authority)
            meta.put_identity(tx, msgspec.structs.replace(identity, url=at.url, authority=at.authority))

    def replace_key(self) -> None:
        """Draws another key to sign with; the next sync offers it to the server. After 90 days this happens by itself.

        May be repeated: while a key is offered, no further one is drawn. Raises NotEnrolled.
        """
        with self._store.write() as tx:
            if meta.identity(tx) is None:
                raise syncing.not_enrolled()
            if keys.replacement(tx) is None:
                keys.put_replacement(tx, self._random(keys.SEED_BYTES))

    def sync(self, progress: OnProgress | None = None, *, policy: Policy | None = None) -> SyncReport:
        """Sends the queue and reads what is new.

        Raises Offline when nothing was exchanged, Busy when a sync runs already, Revoked after the queue was
        handed in, NotEnrolled, Incompatible. When a link was cut after something had been exchanged, the
        report says so: `complete` is False, and `stopped_by` names the cause.
        """
        with self.sync_lock():
            steps = self.steps()
            transport = self._transport(steps.address)
            return syncing.run(SyncSession(policy), steps, transport, self._sleep, progress)

    # What needs attention

    def problems(self) -> Sequence[Problem]:
        """What needs attention, each with its record and the next step."""
        return [Problem(**told, _answer=self.answer) for told in self.troubles()]

    def answer(
        self, problem: Told, answer: Answer, note: str | None = None, fields: Mapping[str, Any] | None = None
    ) -> Record | None:
        """See Problem.answer."""
        return answer_problem(self, self._store, problem, answer, note, dict(fields or {}))

    def set_passphrase(self, passphrase: str) -> None:
        """From now on this passphrase opens the store, and no other."""
        self._store.put_passphrase(passphrase, self._random)

    def wipe(self) -> None:
        """Removes the store from this device. Raises QueueNotEmpty while anything is unsent."""
        self._store.wipe()

    def rescue(self, path: str | Path, *, answered: bool = False) -> int:
        """Writes what is unsent to a file that the store's passphrase opens; how many changes it holds.

        `answered`: also what the township had answered and this device still keeps, for a restored server that
        does not know the device any more.
        """
        return rescue.write_rescue(self._store, Path(path), self._random, answered=answered)

    def take_in(self, path: str | Path, *, passphrase: str) -> int:
        """Puts the changes of another store's rescue file into the queue; how many were new.

        Raises WrongPassphrase (that of the other store is meant) or StoreDamaged.
        """
        return rescue.take_in(self._store, rescue.read_rescue(Path(path), passphrase), self._clock())

    def write_request(self, path: str | Path) -> int:
        """Writes a sync request to a file, for a server that this device cannot reach; how many changes it carries.

        The queue is unchanged: `take_answer` ends its entries. Raises NotEnrolled, Refused or StoreFull.
        """
        with self.sync_lock():
            return by_file.write_request(self._store, self.steps(), Path(path), self._random)

    def take_answer(self, path: str | Path) -> Taken:
        """Takes in the file with which the server answered.

        Raises Refused for one that is not for this device now, StoreDamaged for none; nothing is changed then.
        """
        with self.sync_lock():
            return by_file.take_answer(self._store, Path(path), self._clock(), self._new_id)

    # What the two drivers share

    def ask_to_enrol(self, code: str) -> bytes:
        """The body of a request to be enrolled; see enrolling.py."""
        return enrolling.prepare(self._store, code, self._random)

    def enrolled(self, at: Address, response: Response) -> None:
        """Takes the answer to it in."""
        enrolling.finish(self._store, at, response, self._clock, self._new_id())

    def sync_lock(self) -> AbstractContextManager[None]:
        """Held while a sync runs; raises Busy when another holds it."""
        return self._store.sync_lock()

    def steps(self) -> Steps:
        """The device's part of one sync."""
        return Steps(self._store, self._clock, self._random)

    def troubles(self) -> list[dict[str, Any]]:
        """The arguments of every problem."""
        with self._store.read() as tx:
            return [told(trouble) for trouble in Reading(tx, self._store).troubles()]

    def context(self, at: Address) -> ssl.SSLContext | None:
        """How a server at this address proves itself; None leaves it to the system."""
        if at.authority is None:
            return None
        with self._store.inner.read() as tx:
            met = meta.contact(tx)
        contact = None if met is None else (met.server_ms, met.device_ms)
        return pinned(at.authority, lambda begins_ms: township_time_ms(self._clock(), contact, begins_ms))

    def _transport(self, at: Address) -> Transport:
        """The transport that was handed in, or connections to the address that are kept."""
        if self._given is not None:
            return self._given
        if self._connected is None or self._connected[0] != at:
            if self._connected is not None:
                self._connected[1].close()
            self._connected = (at, HttpTransport(at.url, self.context(at)))
        return self._connected[1]
