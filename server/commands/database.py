"""roundbook migrate, doctor, backup, restore."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from migrations.roles import set_role_defaults
from migrations.run import current, head
from server import backup as copies
from server import doctor as looks
from server.audit import service as audits
from server.audit.acts import OPERATOR
from server.backup import Copied
from server.certificates import look_at_certificate
from server.commands import output
from server.commands.directory import in_words
from server.commands.erasures import show as show_applied
from server.commands.opening import (
    Data,
    Database,
    Json,
    make_ready,
    now_ms,
    prepare_file,
    settings_of,
    with_engine,
    write_for_own_user,
)
from server.commands.opening import migrate as bring_up_to_date
from server.doctor import Check
from server.privacy.applying import Applied, apply, apply_erasures, total
from server.privacy.replaced import erased_in
from server.refused import RefusedError
from server.restoring import given_in, lost, note_restore
from server.settings import Settings, shown_database
from server.vault import keyfile
from server.vault.service import require_fitting

Force = Annotated[bool, typer.Option("--force", show_default=False)]
Replace = Annotated[bool, typer.Option("--replace", show_default=False)]
_DUMP: Final = "pg_dump --format=custom --file=FILE {url}"
_LOAD: Final = (
    "createdb NEW; pg_restore --exit-on-error --no-owner --dbname=URL-OF-NEW FILE; "
    "roundbook migrate --database URL-OF-NEW; and serve with --database URL-OF-NEW instead of {url}"
)
_NEXT: Final = (
    "Start the server now. At its next sync each device sends again what the township had received from it after "
    "the backup. What was decided only in the office since then is on no device: `roundbook township list` says "
    "which time is missing."
)
_KEY_APART: Final = (
    "The master key is not in it, and without the key nobody can read contact from it: keep a copy of the key too, "
    "in another place. 备份不含主密钥，请另处保存。"
)
_MARKS = {"well": "ok", "note": "note", "bad": "BAD"}
_MIB = 2**20


def migrate(*, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """Bring the database to the newest schema.

    Installs the kinds that ship, too. May be repeated. On PostgreSQL, the role gets its time-outs where it
    may give them to itself.

    Example: roundbook migrate --database postgresql://roundbook@localhost/roundbook
    """
    settings = settings_of(data, database)
    prepare_file(settings)
    before = current(settings.database)
    bring_up_to_date(settings)
    role = None if settings.embedded else set_role_defaults(settings.database)
    after = current(settings.database)
    if as_json:
        output.json({"from": before, "to": after, "newest": head(), "role": role})
        return
    shown = shown_database(settings)
    if before == after:
        output.say(f"{shown} is at the newest schema already, {after}.")
    else:
        output.say(f"{shown} is at schema {after} now{f', and was at {before}' if before else ''}.")
    if not settings.embedded and before != after:
        output.hint(
            "Every server process needs the master key from now on (`roundbook keys make`), and `roundbook keys seal` "
            "encrypts the contact that is stored already."
        )
    if role is not None and role.refused:
        output.hint(f"The role may not give itself {', '.join(role.refused)}: its administrator can.")


def doctor(*, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """Check settings, database, clock and disk.

    Says what to do, and changes nothing.

    Example: roundbook doctor
    """
    settings = settings_of(data, database)
    checks = looks.look_at_disk(settings)
    certificate = look_at_certificate(settings, now_ms())
    if settings.embedded and not settings.file.exists():
        checks.append(looks.look_for_file(settings.file))
    elif all(check.state != "bad" for check in checks):
        checks += with_engine(settings, lambda engine: looks.look_at_database(engine, now_ms()))
        if any(check.name == "clock" for check in checks):
            checks += _restores(settings)
            keys_fit = all(check.state == "well" for check in checks if check.name == "keys")
            checks += _brought_back(settings) if keys_fit else []
    checks += certificate
    bad = [check.name for check in checks if check.state == "bad"]
    if as_json:
        output.json({"ok": not bad, "checks": checks})
    else:
        rows = [(_MARKS[check.state], check.name, check.says, check.do or None) for check in checks]
        output.table(("", "what", "it", "do this"), rows)
    if bad:
        message = f"The server cannot work like this: mend {', '.join(bad)}."
        raise RefusedError(message)


def _restores(settings: Settings) -> list[Check]:
    """What the office has to know of restores; the content was looked at, so the schema fits."""
    do = "tell the office; strike the numbers that stay missing from the register"
    return [Check("restore", "note", in_words(one), do) for one in with_engine(settings, lost)]


def backup(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    force: Force = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Copy an embedded database to a file, and check the copy.

    The server may run meanwhile. The master key is never in the copy. --force writes over a file that exists. A
    PostgreSQL is copied by its own tool: pg_dump --format=custom --file=FILE URL

    Example: roundbook backup /media/usb/roundbook-monday.db
    """
    settings = _embedded(settings_of(data, database), _DUMP)
    write_for_own_user()
    with output.progress("Copying", 1, quiet=as_json) as step:
        done = copies.back_up(
            settings.file, file, force=force, progress=lambda n, total: step(n / (total or 1))
        )
    _show(done, "is written", as_json=as_json)
    if not as_json:
        output.hint(_KEY_APART)


def restore(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    replace: Replace = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of an embedded database.

    The server must not run, and the master key has to be there. --replace puts the database that is there
    aside, beside it. Devices send again what the backup lacks, by themselves. A PostgreSQL is restored by its own
    tools, into a new database, which the server is then pointed to: createdb NEW; pg_restore --exit-on-error
    --no-owner --dbname=URL-OF-NEW FILE; roundbook migrate --database URL-OF-NEW

    Example: roundbook restore /media/usb/roundbook-monday.db --replace
    """
    settings = _embedded(settings_of(data, database), _LOAD)
    write_for_own_user()
    if needed := copies.master_ids_in(file):
        require_fitting(keyfile.vault(settings), needed)
    stamp = datetime.fromtimestamp(now_ms() // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    done = copies.restore(file, settings.file, replace=replace, stamp=stamp)
    make_ready(settings)
    given = given_in(Path(done.kept) if done.kept else None)
    with_engine(settings, lambda engine: note_restore(engine, given, now_ms()))
    again = _erase_again(settings, Path(done.kept) if done.kept else None)
    heads = with_engine(settings, audits.heads)
    _show(msgspec.structs.replace(done, audit=tuple(heads)), "is restored", as_json=as_json)
    if as_json:
        return
    if again != Applied():
        show_applied(again)
    if done.kept:
        output.hint(f"What stood there before is kept as {done.kept}.")
    output.hint(_NEXT)


def _brought_back(settings: Settings) -> list[Check]:
    """Whether a restore has brought back what the list says was erased."""
    file = Path(settings.erasures)
    found = with_engine(settings, lambda engine: apply(engine, file, OPERATOR, now_ms(), dry_run=True))
    if found.erased:
        says = f"{found.erased:,} records that were erased are here again"
        return [Check("erasures", "bad", says, "roundbook erasures apply")]
    if found.refused:
        says = f"{found.refused:,} lines of {file} were torn, or are not of this server"
        return [Check("erasures", "note", says, "see whether somebody has written to it")]
    return [Check("erasures", "well", f"{found.already:,} are listed, and none has come back")]


def _erase_again(settings: Settings, kept: Path | None) -> Applied:
    """Erases again what the backup has brought back: by the list, and by the database that was replaced."""
    file = Path(settings.erasures)
    listed = with_engine(settings, lambda engine: apply(engine, file, OPERATOR, now_ms()))
    known = erased_in(kept)
    return total(
        listed, with_engine(settings, lambda engine: apply_erasures(engine, known, OPERATOR, now_ms()))
    )


def _embedded(settings: Settings, instead: str) -> Settings:
    if not settings.embedded:
        url = shown_database(settings)
        message = f"PostgreSQL is copied and restored by its own tools. Run: {instead.format(url=url)}"
        raise RefusedError(message)
    return settings


def _show(done: Copied, verb: str, *, as_json: bool) -> None:
    if as_json:
        output.json(done)
        return
    output.say(
        f"{done.file} {verb}: {done.size_bytes / _MIB:,.1f} MiB at schema {done.revision}, every page checked; "
        f"townships {done.townships:,}, records {done.records:,}, changes {done.changes:,}."
    )
    if done.audit:
        output.hint("Where its audit ends, to be kept elsewhere for `roundbook audit verify --head`:")
    for end in done.audit:
        # A line by itself and never folded, so that it can be copied whole.
        typer.echo(audits.written(end))
