"""The canonical form and its digest: pinned, because every device and every database has to agree."""

import hashlib
import random
from functools import reduce
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.canonical import Digest, canonical, halves, total

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FORMS = st.lists(st.binary(max_size=20), max_size=30)


def test_the_form_is_pinned() -> None:
    values = {"b": ["x", "y"], "a": {"2": {"t": 3.0}, "1": {}}, "题": "路"}
    form = canonical("r", "matter", "321283104203001", "reported", "321283104-2026-00017", values)
    assert form.decode() == (
        '["r","matter","321283104203001","reported","321283104-2026-00017",'
        '{"a":{"1":{},"2":{"t":3.0}},"b":["x","y"],"题":"路"}]'
    )
    assert halves(form) == (0x7A900D89, 0xD1269035)


def test_values_may_be_given_as_canonical_bytes() -> None:
    values = {"b": 1, "a": "路"}
    raw = msgspec.Raw('{"a":"路","b":1}'.encode())
    assert canonical("r", "k", "p", None, None, raw) == canonical("r", "k", "p", None, None, values)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=5), st.randoms())
def test_the_order_in_which_values_came_does_not_show(values: dict[str, Any], rng: random.Random) -> None:
    names = list(values)
    rng.shuffle(names)
    shuffled = {name: values[name] for name in names}
    assert canonical("r", "k", "p", None, None, values) == canonical("r", "k", "p", None, None, shuffled)


def test_everything_that_a_record_says_changes_its_digest() -> None:
    forms = {
        canonical("r", "k", "p", None, None, {}),
        canonical("s", "k", "p", None, None, {}),
        canonical("r", "l", "p", None, None, {}),
        canonical("r", "k", "q", None, None, {}),
        canonical("r", "k", "p", "s", None, {}),
        canonical("r", "k", "p", None, "n", {}),
        canonical("r", "k", "p", None, None, {"a": 1}),
        canonical("r", "k", "p", None, None, {"a": 1.0}),
        canonical("r", "k", "p", None, None, {"a": True}),
    }
    assert len({halves(form) for form in forms}) == len(forms) == 9


def _digest(forms: list[bytes]) -> Digest:
    pairs = [halves(form) for form in forms]
    return total(len(forms), sum(high for high, _ in pairs), sum(low for _, low in pairs))


@given(FORMS, st.randoms())
def test_order_does_not_matter(forms: list[bytes], rng: random.Random) -> None:
    shuffled = list(forms)
    rng.shuffle(shuffled)
    assert _digest(forms) == _digest(shuffled)


@given(FORMS)
def test_it_is_the_sum_of_the_first_eight_bytes(forms: list[bytes]) -> None:
    """Computed in another way: whole numbers of any size, by hand."""
    numbers = [int(hashlib.sha256(form).hexdigest()[:16], 16) for form in forms]
    assert _digest(forms) == Digest(
        len(forms), f"{reduce(lambda a, b: (a + b) & (2**64 - 1), numbers, 0):016x}"
    )


def test_nothing_has_the_digest_of_nought() -> None:
    assert total(0, 0, 0) == Digest(0, "0" * 16)


def test_a_carry_goes_from_the_low_half_to_the_high_one_and_out_of_the_top() -> None:
    assert total(2, 0, 1 << 32).sum == "0000000100000000"
    assert total(2, (1 << 32) - 1, 1 << 32).sum == "0" * 16
