"""The device on the command line: whose it is, what waits, what needs attention, and the sync."""

import os
from pathlib import Path
from typing import Annotated

import typer

from client_sdk import key_ring
from client_sdk.checkup import look
from client_sdk.cli import output
from client_sdk.cli.opening import VARIABLE, AsJson, asked, opened, passphrase
from client_sdk.field import FieldClient

commands = typer.Typer()
Authority = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE",
        show_default=False,
        help="只信任该机构的服务器 PEM of the one authority whose servers are believed.",
    ),
]


@commands.command()
def enrol(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="ADDRESS|TEXT", help="服务器地址，或二维码内容")],
    *,
    code: Annotated[str | None, typer.Option(help="一次性设备码 The code.", show_default=False)] = None,
    ca: Authority = None,
) -> None:
    """登记本机 Make this store a device of a server, with a one-time code or the text of its QR code.

    Example: roundbook-device enrol https://roundbook.example --code ABCD-EFGH --ca township-ca.pem

    Example: roundbook-device enrol "ROUNDBOOK1 https://roundbook.example ABCD-EFGH"
    """
    with opened(context) as device:
        device.enrol(url, code=code, ca=ca)
        me = device.me()
        grids = "、".join(grid.name for grid in device.grids())
        output.say(f"已登记：{me.name}，{me.township_name}，{grids} / enrolled for {me.name}")


@commands.command("set-server")
def set_server(context: typer.Context, url: str, *, ca: Authority = None) -> None:
    """换服务器地址 The server has another address, or another authority; identity and queue stay.

    Example: roundbook-device set-server https://roundbook.example --ca township-ca.pem
    """
    with opened(context, to_sync=True) as device:
        device.set_server(url, ca=ca)
        output.say(f"已改为 {url}，本机内容不变 / the server is at {url} now; the queue is unchanged")


@commands.command("set-passphrase")
def set_passphrase(
    context: typer.Context,
    *,
    new: Annotated[
        str,
        typer.Option(
            prompt="新口令 New passphrase",
            hide_input=True,
            confirmation_prompt=True,
            envvar="ROUNDBOOK_NEW_PASSPHRASE",
            show_envvar=True,
        ),
    ],
) -> None:
    """更换口令 Open this store by another passphrase from now on.

    Example: roundbook-device set-passphrase
    """
    with opened(context) as device:
        device.set_passphrase(new)
        if key_ring.remembered(context.obj) is not None:
            key_ring.remember(context.obj, new)
        output.say("口令已更换 / the new passphrase opens this store from now on")


@commands.command("remember-passphrase")
def remember_passphrase(context: typer.Context) -> None:
    """记住口令 Keep the passphrase in the platform's key ring, so that it need not be typed.

    Example: roundbook-device remember-passphrase
    """
    given = os.environ.get(VARIABLE) or asked()
    with FieldClient.open(context.obj, passphrase=given, to_sync=True):
        key_ring.remember(context.obj, given)
        output.say("口令已存入系统钥匙串 / the key ring of this platform keeps the passphrase")


@commands.command("forget-passphrase")
def forget_passphrase(context: typer.Context) -> None:
    """忘记口令 Take the passphrase out of the platform's key ring; from then on it is asked for.

    Example: roundbook-device forget-passphrase
    """
    key_ring.forget(context.obj)
    output.say("系统钥匙串里没有口令了 / the key ring does not keep the passphrase any more")


@commands.command("replace-key")
def replace_key(context: typer.Context) -> None:
    """更换本机密钥 Sign with another key from the next sync on, as happens by itself after 90 days.

    Example: roundbook-device replace-key
    """
    with opened(context) as device:
        device.replace_key()
        output.say("下次同步时更换密钥 / the next sync replaces the key that this device signs with")


@commands.command()
def me(context: typer.Context, *, json: AsJson = False) -> None:
    """本机是谁的 Whose device this is, and its grids.

    Example: roundbook-device me
    """
    with opened(context) as device:
        own, grids = device.me(), device.grids()
        if json:
            output.as_json({"me": own, "grids": grids})
            return
        rows = [("姓名 name", own.name), ("镇 township", own.township_name), ("设备 device", own.device)]
        rows += [("网格 grid", f"{grid.code} {grid.name}") for grid in grids]
        output.table(("", ""), rows, "")


@commands.command()
def queue(context: typer.Context, *, json: AsJson = False) -> None:
    """待上传 Drafts, what waits and since when, and what needs attention.

    Example: roundbook-device queue
    """
    with opened(context) as device:
        entries = device.queue()
        if json:
            output.as_json(entries)
            return
        words = {"draft": "草稿 draft", "queued": "待上传 waiting", "quarantined": "需处理 needs attention"}
        rows = [
            (
                one.record[-output.SHORT_CODE_CHARS :],
                one.kind,
                one.do,
                words.get(one.status, one.status),
                output.moment(one.saved_ms),
                one.bytes,
            )
            for one in entries
        ]
        columns = ("记录 record", "表单 kind", "操作", "状态", "起 since", "字节 bytes")
        output.table(columns, rows, "全部已上传 / nothing waits")


@commands.command()
def problems(context: typer.Context, *, json: AsJson = False) -> None:
    """需处理 What needs attention, with the next step.

    Example: roundbook-device problems
    """
    with opened(context) as device:
        found = device.problems()
        if not json:
            output.problems(found)
            return
        output.as_json(
            [
                {
                    "record": one.record.id,
                    "what": one.what,
                    "values": one.values,
                    "code": one.code,
                    "reason": one.reason,
                    "next_zh": one.next_zh,
                    "next_en": one.next_en,
                }
                for one in found
            ]
        )


@commands.command()
def news(context: typer.Context, *, json: AsJson = False) -> None:
    """新消息 What became of own reports since this was last asked.

    Example: roundbook-device news
    """
    with opened(context) as device:
        found = device.news()
        if json:
            output.as_json(found)
        else:
            rows = [(one.record[-output.SHORT_CODE_CHARS :], one.zh, one.en) for one in found]
            output.table(("记录 record", "消息", "news"), rows, "没有新消息 / no news")


@commands.command()
def sync(context: typer.Context, *, json: AsJson = False) -> None:
    """立即同步 Send the queue and read what is new.

    Example: roundbook-device sync
    """
    with opened(context, to_sync=True) as device:
        if json:
            output.as_json(device.sync())
            return
        with output.SyncBar() as bar:
            report = device.sync(bar.show)
        output.say(str(report))


@commands.command()
def rescue(
    context: typer.Context,
    file: Path,
    *,
    answered: Annotated[bool, typer.Option("--all", help="连同已收到的 With what was received.")] = False,
) -> None:
    """救援文件 Write what is unsent to an encrypted file; the store's passphrase opens it.

    --all for a restored server that does not know this device any more: with what it had received.

    Example: roundbook-device rescue /media/usb/wang.rescue
    """
    with opened(context) as device:
        count = device.rescue(file, answered=answered)
        output.say(
            f"已写入 {count} 条，本机内容不变 / wrote {count} changes to {file}; the queue is unchanged"
        )


@commands.command("take-in")
def take_in(
    context: typer.Context,
    file: Path,
    *,
    its_passphrase: Annotated[str, typer.Option(prompt="该文件的口令 Its passphrase", hide_input=True)],
) -> None:
    """接收救援文件 Put the changes of another store's rescue file into this queue.

    Example: roundbook-device take-in /media/usb/wang.rescue
    """
    with opened(context) as device:
        count = device.take_in(file, passphrase=its_passphrase)
        output.say(f"已接收 {count} 条，请同步 / took in {count} changes: sync now")


@commands.command("write-request")
def write_request(context: typer.Context, file: Path) -> None:
    """写请求文件 Write a sync to a file, to be carried to the township where there is no network.

    Example: roundbook-device write-request /media/usb/wang.request
    """
    with opened(context, to_sync=True) as device:
        count = device.write_request(file)
        output.say(
            f"已写入 {count} 条，请送到镇里，再带回回复文件 / wrote {count} changes to {file}: carry it to the "
            "township and bring the answer file back; the queue is unchanged"
        )


@commands.command("take-answer")
def take_answer(context: typer.Context, file: Path) -> None:
    """接收回复文件 Take in the township's answer to a request file.

    Example: roundbook-device take-answer /media/usb/wang.answer
    """
    with opened(context, to_sync=True) as device:
        done = device.take_answer(file)
        more = (
            "" if done.complete else "；还有内容，请再写请求文件 / there is more: write another request file"
        )
        output.say(
            f"镇里已收到 {done.answered} 条，收到 {done.received} 条，待上传 {done.left} 条 / the township has "
            f"{done.answered} changes, {done.received} records came, {done.left} wait{more}"
        )


@commands.command()
def doctor(context: typer.Context, *, json: AsJson = False) -> None:
    """检查本机 Look at the store and the files beside it; says what to do, and changes nothing.

    Exits with 1 when something is wrong.

    Example: roundbook-device doctor
    """
    looks = look(context.obj, passphrase(context.obj))
    bad = [one.name for one in looks if one.state == "bad"]
    if json:
        output.as_json({"ok": not bad, "checks": looks})
    else:
        marks = {"well": "好 ok", "note": "注意 note", "bad": "有问题 BAD"}
        rows = [(marks[one.state], one.name, one.says, one.do) for one in looks]
        output.table(("", "检查 what", "结果 it", "怎么办 do this"), rows, "")
    if bad:
        raise typer.Exit(1)
