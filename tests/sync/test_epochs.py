"""Of a device's installation epochs, the server remembers the counters of those that were used last."""

from server.storage.contact import EPOCHS_MAX
from tests.sync.phone import Phone


async def test_the_epochs_that_were_used_last_are_remembered(wang: Phone) -> None:
    """Their ids are in no order of time: a clock was wrong, or another client made them."""
    epochs = [f"{255 - n * 37 % 256:02x}900000-0000-7000-8000-{n:012}" for n in range(EPOCHS_MAX + 10)]
    for epoch in epochs:
        wang.epoch = epoch
        answer = await wang.send(wang.matter(n=1))
        assert answer.send_from is None
    wang.epoch = epochs[15]  # used again, so it is the newest now
    assert (await wang.send(wang.matter(n=2))).send_from is None
    newest = [*epochs[-EPOCHS_MAX + 1 :], epochs[15]]
    for epoch in dict.fromkeys(newest):
        wang.epoch = epoch
        after = 3 if epoch == epochs[15] else 2
        answer = await wang.send(wang.matter(n=after))
        assert (answer.send_from, answer.verdicts[0].result) == (None, "applied"), epoch
    wang.epoch = epochs[0]
    assert (await wang.send(wang.matter(n=2))).send_from == 1
