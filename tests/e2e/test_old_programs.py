"""Old programs against a newer server: an older store, an older kind, every protocol version (failures, row 23)."""

from typing import Any

import msgspec
import pytest

from client_sdk import Response
from client_sdk.store.schema import version
from sync_protocol.kinds import parse, to_json
from sync_protocol.versions import VERSIONS
from tests.e2e.links import Link
from tests.e2e.raw import RawDevice, code_of
from tests.e2e.test_attacks import second_version
from tests.e2e.village import GRID, WELL, Village, assert_converged, holds, settled


def knows_only_the_first_version(link: Link) -> None:
    """The program behind this link cannot read version 2 of the kind `well`; it has what it was enrolled with."""

    def without_news(response: Response) -> Response:
        answer = link.answer
        if answer.profile is None:
            return response
        first = [kind for kind in answer.profile.kinds if msgspec.json.decode(kind)["name"] != "well"]
        old = msgspec.structs.replace(answer.profile, tag="old", kinds=(*first, first_version()))
        body = msgspec.json.encode(msgspec.structs.replace(answer, profile=old))
        headers = {**response.headers, "content-encoding": "identity"}
        return Response(response.status, headers, body)

    link.down = without_news


def first_version() -> msgspec.Raw:
    return msgspec.Raw(to_json(parse(WELL.read_text(encoding="utf-8"), "well.toml")))


def test_row_23_an_old_program_keeps_what_it_does_not_know_and_has_it_after_its_upgrade(
    village: Village,
) -> None:
    """Fields of a newer kind reach it, survive its edits, and need not be sent again when it is upgraded."""
    link = Link(village.link)
    old, new = village.device("王芳", transport=link), village.device("李强")
    knows_only_the_first_version(link)
    well = old.create("well", title="村东水井")
    settled(village, old, new)
    village.install(second_version())
    new.sync()
    new.update(new.get(well.id), owner="老赵")
    settled(village, new, old)
    assert not [kind for kind in old.kinds() if kind.name == "well" and kind.version > 1]
    assert holds(old)[well.id][3]["owner"] == "老赵"
    old.update(old.get(well.id), title="村东老井", households=4)
    assert old.sync().quarantined == 0
    settled(village, new, old)
    values = village.state(well.id).values
    assert (values["owner"], values["title"], values["households"]) == ("老赵", "村东老井", 4)
    assert old.digest() == new.digest()

    link.down = lambda response: response  # the program is upgraded
    report = old.sync()
    assert (report.complete, report.reread) == (True, ())
    assert max(kind.version for kind in old.kinds() if kind.name == "well") == 2
    assert old.get(well.id).fields["owner"] == "老赵"
    old.update(old.get(well.id), owner="老钱")
    settled(village, old, new)
    assert new.get(well.id).fields["owner"] == "老钱"


def test_row_23_a_store_of_an_older_program_is_brought_up_to_date_with_its_queue(village: Village) -> None:
    """The file as the first program wrote it, with unsent changes in it."""
    device = village.device("王芳")
    device.create("well", title="sent before")
    device.sync()
    device.update(device.list("well")[0], households=3)
    device.create("well", title="unsent")
    with device._store.write() as tx:  # what the steps of the file's history after the first added
        for column in ("claim", "sealed"):
            tx.run(f"ALTER TABLE changes DROP COLUMN {column}")
        tx.run("PRAGMA user_version = 1")
    device.close()
    device = village.open("王芳")
    with device._store.read() as tx:
        assert version(tx) > 1
    assert [one.do for one in device.queue()] == ["edit", "create"]
    assert device.sync().applied == 2
    assert sorted(values["title"] for *_, values in village.held(GRID).values()) == ["sent before", "unsent"]
    assert_converged(village, device, GRID)


@pytest.mark.parametrize("protocol", sorted(VERSIONS))
def test_row_23_every_protocol_version_is_accepted(village: Village, protocol: str) -> None:
    device = RawDevice(village, "王芳")
    change = device.create()
    answer = device.sync(change, protocol=protocol)
    assert (answer.protocol, [verdict.result for verdict in answer.verdicts]) == (protocol, ["applied"])
    unknown: Any = device.send(device.body(device.create(), protocol="1999-01-01"))
    assert code_of(unknown) == (400, "unsupported_protocol")
    assert len(village.changes()) == 1
