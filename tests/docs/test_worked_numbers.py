"""The worked examples of docs/protocol.md: signature, canonical form, corrected time, limits, versions."""

import hashlib
import json
import re
from typing import Any

import pytest

from sync_protocol import signing
from sync_protocol.clock import Reading, correct
from sync_protocol.limits import DEFAULTS
from sync_protocol.versions import VERSIONS
from tests.docs.device import ScriptedDevice
from tests.docs.story import parse_kind
from tests.docs.world import EXAMPLES

PAGE = (EXAMPLES.parent / "protocol.md").read_text(encoding="utf-8")
RECEIPT_MS = 1_000_000


def block(name: str) -> str:
    """The text of a block, without its last line feed."""
    return PAGE.split(f"```text {name}\n")[1].split("\n```")[0]


def first_request() -> dict[str, Any]:
    steps = json.loads((EXAMPLES / "first_sync.json").read_text(encoding="utf-8"))["steps"]
    request: dict[str, Any] = steps[1]
    return request


def rows(heading: str) -> list[list[str]]:
    """The cells of the last table of a section, without its head."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_bytes_under_the_signature_and_the_signature() -> None:
    request = first_request()
    signed = signing.signed_bytes("POST", "/v1/sync", 1, request["body"].encode())
    assert block("signature").encode() == signed
    signature = signing.encode_bytes(ScriptedDevice("A", parse_kind()).key.sign(signed))
    assert signature == request["headers"]["roundbook-signature"]
    assert f"gives `{signature}`" in PAGE


def test_the_canonical_form_and_its_digest() -> None:
    digest = hashlib.sha256(block("canonical").encode()).hexdigest()
    assert f"SHA-256: `{digest}`" in PAGE
    (count, total) = first_request()["answer"]["page"]["digests"]["321283104203001"]
    assert (count, total) == (1, digest[:16])
    assert f'`[1, "{total}"]`' in PAGE


@pytest.mark.parametrize("row", rows("16 Honest time"))
def test_corrected_times(row: list[str]) -> None:
    at, mark, since, now, seen, stamp, uncertainty = (
        int(cell.replace(",", "")) if cell else None for cell in row[:7]
    )
    corrected = correct(at or 0, mark or 0, since, Reading(now or 0, RECEIPT_MS), seen or 0)
    assert (corrected.stamp_ms, corrected.uncertainty_ms) == (stamp, uncertainty)


def test_limits_are_those_of_the_program() -> None:
    said = {row[0]: row[1] for row in rows("20 Limits")}
    assert said["body as it travels"] == f"{DEFAULTS.body_bytes_max // 2**20} MiB"
    assert said["body decompressed"] == f"{DEFAULTS.plain_bytes_max // 2**20} MiB"
    assert said["changes in a request"] == f"{DEFAULTS.changes_max:,}"
    assert said["one change, encoded"] == f"{DEFAULTS.record_bytes_max // 2**10} KiB"
    assert said["operations of a change"] == f"{DEFAULTS.ops_max:,}"
    assert (
        said["one field, encoded; all sub-fields of an entry"] == f"{DEFAULTS.field_bytes_max // 2**10} KiB"
    )
    assert said["entries of a list"].startswith(f"{DEFAULTS.entries_max},")
    least, most = DEFAULTS.page_bytes_min // 2**10, DEFAULTS.page_bytes_max // 2**20
    usual = DEFAULTS.page_bytes_default // 2**10
    assert said["a page"] == f"what the request asks for, {least} KiB to {most} MiB; {usual} KiB by default"


def test_versions_are_those_of_the_program() -> None:
    said = {row[0].strip("`"): row[1] for row in rows("21 Protocol versions")}
    assert said == VERSIONS


def test_every_section_of_the_contents_is_there() -> None:
    anchors = re.findall(r"\]\(#([\w-]+)\)", PAGE.split("\n## ")[0])
    headings = [
        re.sub(r"[^\w -]", "", line).lower().replace(" ", "-")
        for line in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    ]
    assert anchors == headings
