//! Section `stream_map`: traces of the routing table.

use super::frames::STREAM;
use super::sdk::table::{self, Name, Operation};
use crate::line::{ChaCha20Rng, Rng, SliceRandom};
use serde_json::{json, Value};

const MAIN: Name = Name(STREAM);
const OTHER: Name = Name(1);
/// The default idle limit of nym-sdk.
const IDLE_MS: u64 = 30 * 60 * 1000;

struct Trace {
    name: &'static str,
    description: &'static str,
    operations: Vec<Operation>,
}

impl Trace {
    fn new(name: &'static str, description: &'static str, operations: Vec<Operation>) -> Self {
        Self {
            name,
            description,
            operations,
        }
    }
}

/// Make the section.
pub async fn replayed(random: &mut ChaCha20Rng) -> Value {
    let mut cases = Vec::new();
    for trace in [order(), orphans(), ends(), shuffled(random)]
        .into_iter()
        .flatten()
    {
        cases.push(json!({
            "name": trace.name,
            "description": trace.description,
            "steps": table::replay(&trace.operations).await,
        }));
    }
    json!({
        "description": "the Rust stream routing table driven step by step with a paused clock: \
            payloads handed to readers after each step, next_seq, pending and orphan counts",
        "cases": cases,
    })
}

fn register(stream: Name) -> Operation {
    Operation::Register { stream }
}

/// A frame of one byte.
fn data(stream: Name, seq: u32, byte: u8) -> Operation {
    let payload = vec![byte];
    Operation::Data {
        stream,
        seq,
        payload,
    }
}

fn range(from: u32, to: u32) -> Operation {
    let stream = MAIN;
    Operation::DataRange { stream, from, to }
}

fn advance(ms: u64) -> Operation {
    Operation::AdvanceMs { ms }
}

fn cleanup(idle_ms: u64) -> Operation {
    Operation::Cleanup { idle_ms }
}

/// Order, duplicates and gaps.
fn order() -> Vec<Trace> {
    let frames = |numbers: &[(u32, u8)]| {
        let frames = numbers.iter().map(|&(seq, byte)| data(MAIN, seq, byte));
        std::iter::once(register(MAIN)).chain(frames).collect()
    };
    vec![
        Trace::new("in_order", "", frames(&[(0, 0), (1, 1), (2, 2)])),
        Trace::new("reordered", "", frames(&[(2, 2), (0, 0), (1, 1)])),
        Trace::new(
            "old_and_duplicate",
            "below next_seq is dropped; a duplicate of a pending seq replaces the pending payload",
            frames(&[(0, 0), (0, 0xff), (2, 2), (2, 0xee), (1, 1)]),
        ),
        Trace::new(
            "gap_skip_after_256",
            "the 257th pending frame makes the receiver skip the missing seq silently; the late \
             frame is dropped",
            vec![
                register(MAIN),
                range(1, 257),
                range(257, 258),
                data(MAIN, 0, 0),
            ],
        ),
        Trace::new(
            "far_future_seq",
            "no upper window: any seq >= next_seq is buffered",
            frames(&[(u32::MAX - 1, 0xaa), (0, 0)]),
        ),
        Trace::new(
            "range_behind_its_first_frame",
            "",
            vec![register(MAIN), range(1, 30), data(MAIN, 0, 0)],
        ),
    ]
}

/// Frames that overtake the Open of their stream.
fn orphans() -> Vec<Trace> {
    vec![
        Trace::new(
            "orphans_drained_on_register",
            "",
            vec![
                data(MAIN, 1, 1),
                data(MAIN, 0, 0),
                data(OTHER, 0, 0xbb),
                register(MAIN),
            ],
        ),
        Trace::new(
            "orphans_with_a_gap",
            "frames behind a gap stay pending when the stream is registered",
            vec![
                data(MAIN, 0, 0),
                data(MAIN, 2, 2),
                register(MAIN),
                data(MAIN, 1, 1),
            ],
        ),
        Trace::new(
            "orphans_expire",
            "swept at the first cleanup that finds them at least 5 s old",
            vec![
                data(MAIN, 0, 0),
                advance(4999),
                cleanup(IDLE_MS),
                advance(1),
                cleanup(IDLE_MS),
                register(MAIN),
            ],
        ),
        Trace::new(
            "orphans_frame_cap",
            "32 frames per stream; more are dropped",
            vec![range(0, 40), register(MAIN), data(MAIN, 32, 0x20)],
        ),
        Trace::new(
            "remove_clears_orphans",
            "",
            vec![data(MAIN, 3, 3), Operation::Remove { stream: MAIN }],
        ),
    ]
}

/// Registering twice, and the ways a stream ends.
fn ends() -> Vec<Trace> {
    vec![
        Trace::new(
            "duplicate_register",
            "second registration refused, original keeps working",
            vec![
                register(MAIN),
                data(MAIN, 0, 0),
                register(MAIN),
                data(MAIN, 1, 1),
            ],
        ),
        Trace::new(
            "idle_reap",
            "reaped when idle >= limit; only inbound Data counts as activity; reader then sees EOF",
            vec![
                register(MAIN),
                advance(9000),
                data(MAIN, 0, 0),
                advance(9999),
                cleanup(10_000),
                advance(1),
                cleanup(10_000),
                data(MAIN, 1, 1),
                register(MAIN),
            ],
        ),
        Trace::new(
            "reader_gone",
            "entry removed at next delivery",
            vec![
                register(MAIN),
                Operation::DropReader { stream: MAIN },
                data(MAIN, 0, 0),
            ],
        ),
        Trace::new(
            "removed_while_open",
            "the reader gets what came before and then EOF; later frames are orphans",
            vec![
                register(MAIN),
                data(MAIN, 0, 0),
                Operation::Remove { stream: MAIN },
                data(MAIN, 1, 1),
            ],
        ),
    ]
}

/// Frames of two streams in any order, with the Opens before, among and behind them.
fn shuffled(random: &mut ChaCha20Rng) -> Vec<Trace> {
    let mut traces = Vec::new();
    for name in ["shuffled_0", "shuffled_1", "shuffled_2"] {
        let streams = [Name(random.gen()), Name(random.gen())];
        let mut operations: Vec<_> = streams.map(register).into();
        for stream in streams {
            operations.extend((0..12).map(|seq| data(stream, seq, random.gen())));
        }
        operations.shuffle(random);
        traces.push(Trace::new(
            name,
            "two streams, everything in any order",
            operations,
        ));
    }
    traces
}
