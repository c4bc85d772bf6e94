"""The dictionary of the protocol's content coding: what was handed out once never changes."""

import csv
import hashlib
import re
from pathlib import Path

from sync_protocol.dictionary import CODING, mark_of, of_answer, of_requests

SHA256 = "1d06dfa33e3accde98dd198ab7531ed18bd8ac111907a30629ad929f747d9bce"


def test_the_bytes_of_a_coding_never_change() -> None:
    """A device of an older release must still be understood: other bytes need another name."""
    assert (CODING, hashlib.sha256(of_requests()).hexdigest()) == ("roundbook-1", SHA256)


def test_nothing_that_a_citizen_said_is_in_it(shared_data: Path) -> None:
    """It is trained on conversations and shipped: no run of nine Chinese characters of any message may be in it."""
    chars = 9
    said: set[str] = set()
    with (shared_data / "complaints" / "messages_with_replies.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        for row in csv.DictReader(file):
            for run in re.findall(r"[\u4e00-\u9fff]+", row["subject"] + "。" + row["detail"]):
                said |= {run[at : at + chars] for at in range(len(run) - chars + 1)}
    assert len(said) > 100_000
    told = of_requests().decode("utf-8", "ignore")
    assert [one for one in said if one in told] == []


def test_an_answer_is_read_with_the_beginning_of_its_request() -> None:
    assert of_answer(b"{}") == of_requests() + b"{}"
    assert mark_of(b"{}") == hashlib.sha256(b"{}").digest()[:8]
    assert of_answer(b"x" * 70_000) == of_requests() + b"x" * 65_536
