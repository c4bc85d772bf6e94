"""Records on the command line: make, change, list, show them. All of it works offline."""

from typing import Annotated

import typer

from client_sdk.cli import output
from client_sdk.cli.opening import AsJson, Given, Named, find, kind_of, opened
from client_sdk.cli.values import values
from client_sdk.field import FieldClient
from client_sdk.record import Record

commands = typer.Typer()


@commands.command()
def create(
    context: typer.Context,
    kind: str,
    given: Given = None,
    *,
    grid: Annotated[str | None, typer.Option(help="网格 The grid, when the device has several.")] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="先不上传 Hold it back.", show_default=False)
    ] = False,
    json: AsJson = False,
) -> None:
    """新建 Make a record; it is durable when the command returns, also where this store was away too long to show any.

    Example: roundbook-device create matter title=水渠堵塞 category=02
    """
    with opened(context, to_sync=True) as device:
        record = device.create(kind, grid=grid, draft=draft, **values(kind_of(device, kind), given or []))
        _shown(device, record, json=json)


@commands.command()
def edit(context: typer.Context, record: Named, given: Given = None, *, json: AsJson = False) -> None:
    """修改 Change fields; NAME= clears one.

    Example: roundbook-device edit 4f3a2b narrative=已到现场查看
    """
    with opened(context) as device:
        seen = find(device, record)
        _shown(device, device.update(seen, **values(kind_of(device, seen.kind), given or [])), json=json)


@commands.command()
def append(
    context: typer.Context, record: Named, entries: str, given: Given = None, *, json: AsJson = False
) -> None:
    """添加条目 Add an entry to a list of the record.

    Example: roundbook-device append 4f3a2b measures text=电话联系水务站
    """
    with opened(context) as device:
        seen = find(device, record)
        parts = values(kind_of(device, seen.kind), given or [], entries)
        _shown(device, device.append(seen, entries, **parts), json=json)


@commands.command()
def act(
    context: typer.Context,
    record: Named,
    action: str,
    given: Given = None,
    *,
    note: Annotated[str | None, typer.Option(help="说明 What is said about it.")] = None,
    json: AsJson = False,
) -> None:
    """办理 Take a step of the workflow, such as report.

    Example: roundbook-device act 4f3a2b report --note 请尽快处理
    """
    with opened(context) as device:
        seen = find(device, record)
        fields = values(kind_of(device, seen.kind), given or [])
        _shown(device, device.act(seen, action, note=note, **fields), json=json)


@commands.command()
def submit(context: typer.Context, record: Named, *, json: AsJson = False) -> None:
    """提交草稿 Send a draft on its way.

    Example: roundbook-device submit 4f3a2b
    """
    with opened(context) as device:
        _shown(device, device.submit(find(device, record)), json=json)


@commands.command("list")
def list_(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument()] = None,
    *,
    grid: Annotated[str | None, typer.Option(help="网格")] = None,
    state: Annotated[str | None, typer.Option(help="状态")] = None,
    text: Annotated[str | None, typer.Option(help="查找文字 Look into texts.")] = None,
    json: AsJson = False,
) -> None:
    """列表 Records on this device.

    Example: roundbook-device list matter --text 水渠
    """
    with opened(context) as device:
        found = device.list(kind, grid=grid, state=state, text=text)
        if json:
            output.as_json([output.record_json(record) for record in found])
        else:
            output.records(found, {one.name: one for one in device.kinds()})


@commands.command()
def show(context: typer.Context, record: Named, *, json: AsJson = False) -> None:
    """查看 One record with all its fields.

    Example: roundbook-device show 321283104-2026-00017
    """
    with opened(context) as device:
        _shown(device, find(device, record), json=json)


def _shown(device: FieldClient, record: Record, *, json: bool) -> None:
    if json:
        output.as_json(output.record_json(record))
    else:
        output.one(record, next((kind for kind in device.kinds() if kind.name == record.kind), None))
