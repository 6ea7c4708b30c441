"""The reassembler against a small model, under duplication, reordering and the passing of time."""

from __future__ import annotations

import random
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from nymproxy.mixnet.messages import Fragment, Reassembler, ReassemblyLimits
from nymproxy.mixnet.messages.chunking import pad
from tests.messages.test_reassembly import END_SET, LENGTH, fragments_of

IDLE_SECONDS = 100.0
FINISHED_FRAGMENTS = 32


class Model:
    """What should come out: plain dictionaries, everything looked at every time."""

    def __init__(self) -> None:
        self.messages: dict[int, tuple[int, ...]] = {}  # each set's id -> all ids of its message
        self.arrived: dict[int, dict[int, Fragment]] = {}
        self.last: dict[int, float] = {}
        self.finished: deque[Fragment] = deque(maxlen=FINISHED_FRAGMENTS)

    def insert(self, fragment: Fragment, now: float) -> bytes | None:
        for set_id in [i for i, last in self.last.items() if now - last >= IDLE_SECONDS]:
            del self.arrived[set_id], self.last[set_id]
        if fragment in self.finished:
            return None
        self.arrived.setdefault(fragment.set_id, {})[fragment.position] = fragment
        self.last[fragment.set_id] = now
        set_ids = self.messages[fragment.set_id]
        parts = [self.arrived.get(set_id, {}) for set_id in set_ids]
        if not all(part and len(part) == next(iter(part.values())).total for part in parts):
            return None
        for set_id in set_ids:
            del self.arrived[set_id], self.last[set_id]
        whole = [part[position] for part in parts for position in sorted(part)]
        self.finished.extend(whole)
        return b"".join(fragment.payload for fragment in whole)


class ReassemblerMachine(RuleBasedStateMachine):
    messages: Bundle[list[Fragment]] = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        limits = ReassemblyLimits(
            idle_seconds=IDLE_SECONDS,
            finished_fragments=FINISHED_FRAGMENTS,
            prune_interval_seconds=0,
        )
        self.reassembler = Reassembler(limits)
        self.model = Model()
        self.now = 0.0
        self.next_set_id = 1
        self.whole: dict[int, bytes] = {}

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        self.rng = random.Random(seed)

    @rule(target=messages, size=st.sampled_from([1, 4, 5, 30, 200, 1274, 1275, 2 * END_SET + 9]))
    def send(self, size: int) -> list[Fragment]:
        data = self.rng.randbytes(size)
        fragments = fragments_of(data, self.next_set_id)
        set_ids = tuple(dict.fromkeys(fragment.set_id for fragment in fragments))
        self.next_set_id += len(set_ids)
        for set_id in set_ids:
            self.model.messages[set_id] = set_ids
            self.whole[set_id] = pad(data, LENGTH)
        return fragments

    @rule(fragments=messages, share=st.sampled_from([0.1, 0.5, 0.9, 1.0, 1.0]))
    def deliver_some(self, fragments: list[Fragment], share: float) -> None:
        """Deliver a share of a message, in any order, whether it was delivered before or not."""
        count = max(1, round(share * len(fragments)))
        self.deliver(self.rng.sample(fragments, count))

    @rule(one=messages, other=messages)
    def deliver_interleaved(self, one: list[Fragment], other: list[Fragment]) -> None:
        mixed = one[: len(one) // 2 + 1] + other[len(other) // 2 :]
        self.deliver(self.rng.sample(mixed, len(mixed)))

    @rule(fragments=messages, at=st.floats(0, 0.999))
    def deliver_one_twice(self, fragments: list[Fragment], at: float) -> None:
        self.deliver([fragments[int(at * len(fragments))]] * 2)

    @rule(seconds=st.sampled_from([1.0, 40.0, 100.0, 300.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    def deliver(self, fragments: list[Fragment]) -> None:
        for fragment in fragments:
            late_before = self.reassembler.counts.late_duplicates
            message = self.reassembler.insert(fragment, self.now)
            is_late = self.reassembler.counts.late_duplicates > late_before
            assert is_late == (fragment in self.model.finished)
            expected = self.model.insert(fragment, self.now)
            assert (None if message is None else message.padded) == expected
            if message is not None:
                assert message.padded == self.whole[fragment.set_id]
                assert message.set_ids == self.model.messages[fragment.set_id]

    @invariant()
    def keeps_what_the_model_keeps(self) -> None:
        stored = [fragment for part in self.model.arrived.values() for fragment in part.values()]
        assert self.reassembler.incomplete_sets == len(self.model.arrived)
        assert self.reassembler.stored_bytes == sum(len(f.payload) + 200 for f in stored)


TestReassemblerMachine = ReassemblerMachine.TestCase
TestReassemblerMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
