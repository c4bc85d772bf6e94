"""Whether a device's store is sound, looked at from outside: nothing is changed, and nothing need open.

`FieldClient.open` mends what it may (an older copy forks) and refuses the rest with one sentence. This says of
each file and of each sort of damage what it means and what to do, for whoever has the phone on the table.
"""

from pathlib import Path
from typing import Final, Literal

import msgspec

from client_sdk.store import keyfile, locks, meta, queue, records, sidecar
from client_sdk.store.database import Database, Tx
from client_sdk.store.epoch import EpochFile
from client_sdk.store.schema import MIGRATIONS, version
from sync_protocol.errors import RoundbookError

State = Literal["well", "note", "bad"]


class Look(msgspec.Struct, frozen=True):
    """One look: `note` is for somebody to know, `bad` keeps the device from its work. Words in both languages."""

    name: str
    state: State
    says: str
    do: str = ""


def look(path: Path, passphrase: str) -> list[Look]:
    """Every look at the store at `path`; the later ones only where the earlier ones let them be done."""
    looks = _files(path)
    if any(one.state == "bad" for one in looks):
        return looks
    try:
        key = keyfile.unwrap(_beside(path, "key"), passphrase)
        database = Database(path, key or b"")
    except RoundbookError as error:
        return [*looks, Look(error.code, "bad", str(error), _ERRORS.get(error.code, _KEEP))]
    try:
        with database.read() as tx:
            looks += _content(tx, EpochFile(_beside(path, "epoch")))
    except RoundbookError as error:
        looks.append(Look(error.code, "bad", str(error), _ERRORS.get(error.code, _KEEP)))
    finally:
        database.close()
    return looks


_KEEP: Final = (
    "保留全部文件，放回最近的副本；已上传的都在镇里 / keep all the files and put the newest copy back: the "
    "township has what was sent"
)
_ERRORS: Final = {
    "wrong_passphrase": "请再输一次 / type it again; without it the store stays closed",
}


def _files(path: Path) -> list[Look]:
    """The store and the two small files beside it."""
    if not path.exists() or not path.stat().st_size:
        beside = [kind for kind in ("key", "epoch") if _beside(path, kind).exists()]
        if not beside:
            return [Look("store", "bad", f"没有数据文件 {path} / there is no store {path}", _NAME)]
        return [Look("store", "bad", f"数据文件不见了或为空 / the store {path.name} is gone or empty", _KEEP)]
    looks = [Look("store", "well", f"数据文件在 / the store is there: {path.stat().st_size:,} bytes")]
    key = _beside(path, "key")
    try:
        if sidecar.read(key) is None:
            says = f"缺少密钥文件 / the key file {key.name} is missing"
            looks.append(Look("key", "bad", says, _KEY))
    except sidecar.SidecarDamaged:
        looks.append(Look("key", "bad", f"密钥文件已损坏 / the key file {key.name} is damaged", _KEY))
    return looks


_NAME: Final = "用 --store 指定文件，或登记本机 / name the file with --store, or enrol"
_KEY: Final = "放回密钥文件的副本 / put a copy of the key file back"
_FORKS: Final = (
    "不用处理：下次打开自动换新编号，未上传的照常上传，不会重复 / nothing: the next opening counts anew, and "
    "what is unsent arrives once"
)


def _content(tx: Tx, epoch_file: EpochFile) -> list[Look]:
    damaged = [row[0] for row in tx.rows("PRAGMA cipher_integrity_check")]
    whole = not damaged and tx.row("PRAGMA integrity_check(1)") == ("ok",)
    if not whole:
        return [Look("content", "bad", "数据页已损坏 / a page of the store is damaged", _KEEP)]
    looks = [Look("content", "well", "数据完好 / every page is whole")]
    schema = version(tx)
    if schema > len(MIGRATIONS):
        says = "数据文件由更新的版本写入 / the store was written by a newer program"
        return [*looks, Look("schema", "bad", says, "升级本软件 / upgrade this program")]
    if schema < len(MIGRATIONS):
        says = "数据文件由旧版本写入 / the store is of an older program"
        return [
            *looks,
            Look(
                "schema", "note", says, "不用处理：打开时自动更新 / nothing: opening it brings it up to date"
            ),
        ]
    return [*looks, *_closed(tx), _epoch(tx, epoch_file), _queue(tx), _base(tx), _waiting(tx)]


def _closed(tx: Tx) -> list[Look]:
    """Whether the store is closed to its worker."""
    found = locks.reason(tx)
    if found is None:
        return []
    return [
        Look(
            found.code,
            "bad",
            str(found),
            "有信号时同步 / sync when there is a network: roundbook-device sync",
        )
    ]


def _epoch(tx: Tx, file: EpochFile) -> Look:
    """Which copy this is, by the file beside the database."""
    epoch, counter = meta.text(tx, meta.EPOCH), meta.integer(tx, meta.COUNTER)
    if file.epoch is None:
        says = "安装编号文件不见了或已损坏 / the epoch file is missing or damaged"
        return Look("epoch", "note", says, _FORKS)
    if file.epoch != epoch or file.counter > counter:
        says = "数据文件是较早的副本 / the store is an older copy than the epoch file beside it"
        return Look("epoch", "note", says, _FORKS)
    sent = tx.row("SELECT max(n) FROM changes WHERE status IN ('acknowledged', 'quarantined')")
    if sent is not None and (sent[0] or 0) > file.counter:
        says = "安装编号文件是较早的副本 / the epoch file is an older copy than the store"
        return Look(
            "epoch",
            "note",
            says,
            "不用处理：服务器会发现 / nothing: the server notices if there are two copies",
        )
    return Look("epoch", "well", "本机只有这一份 / the store is the copy that the epoch file knows")


def _queue(tx: Tx) -> Look:
    """Whether each edit that waits is of a record that is held, or made here."""
    known = {row[0] for row in tx.rows("SELECT id FROM records UNION SELECT record FROM reports")}
    lone: set[str] = set()
    for entry in queue.entries(tx):
        found = queue.get(tx, entry.id)
        if found is not None and found[0].do == "create":
            known.add(entry.record)
        elif entry.record not in known:
            lone.add(entry.record)
    if lone:
        says = f"{len(lone)} 条记录已不在本机，修改仍待上传 / edits wait of {len(lone)} records that are not held here"
        return Look("queue", "note", says, "照常同步，由镇里处理 / sync: the office decides about them")
    return Look("queue", "well", "待上传的都有记录 / every change that waits has its record")


def _base(tx: Tx) -> Look:
    """Whether the records say what the pages brought, and lie in this device's grids."""
    profile = meta.profile(tx)
    grids = {grid.code for grid in profile.grids} if profile is not None else set()
    if records.digests(tx) != records.weighed(tx) or records.outside(tx, grids):
        says = "记录与收到时不一致 / records say something else than when they came"
        return Look("records", "bad", says, "同步一次，会自动重读 / sync: the grids are read again")
    return Look("records", "well", "记录与收到时一致 / the records are as they came")


def _waiting(tx: Tx) -> Look:
    if meta.identity(tx) is None:
        return Look("device", "note", "还没有登记 / it belongs to no device", "roundbook-device enrol")
    unsent = queue.unsent(tx)
    if unsent:
        says = f"还有 {unsent} 条没有上传 / {unsent} changes are not sent"
        return Look("device", "note", says, "有信号时同步 / sync when there is a network")
    return Look("device", "well", "已登记，全部已上传 / enrolled, and everything is sent")


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{kind}")
