//! What arrives in the runs of `legacy_message_buffer`, and when.
//!
//! The loop's timer drifts by a millisecond or two a tick, so that after 7 s nobody knows in which
//! tick something becomes due. What matters is therefore either less than a few milliseconds apart
//! or more than a tick, save where both outcomes are of interest.

use crate::line::{Rng, SliceRandom};
use crate::vectors::support::random;
use nym_sdk::tcp_proxy::Payload;

/// One run. Time is in milliseconds since its start.
pub struct Case {
    pub name: &'static str,
    pub description: &'static str,
    pub is_server: bool,
    pub until_ms: u64,
    pub events: Vec<Event>,
}

/// The arrival of a message.
pub struct Event {
    pub at_ms: u64,
    pub message_id: u16,
    pub payload: Payload,
}

/// All runs; the longest takes 16 s.
pub fn cases(seed: u64) -> Vec<Case> {
    [
        in_order(),
        out_of_order(),
        repeated(),
        closes(),
        short_sessions(),
        shuffled(seed),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn data(at_ms: u64, message_id: u16, data: &str) -> Event {
    let payload = Payload::Data(data.into());
    Event {
        at_ms,
        message_id,
        payload,
    }
}

fn close(at_ms: u64, message_id: u16) -> Event {
    Event {
        at_ms,
        message_id,
        payload: Payload::Close,
    }
}

fn at_client(
    name: &'static str,
    description: &'static str,
    until_ms: u64,
    events: impl Into<Vec<Event>>,
) -> Case {
    Case {
        name,
        description,
        is_server: false,
        until_ms,
        events: events.into(),
    }
}

fn at_server(
    name: &'static str,
    description: &'static str,
    until_ms: u64,
    events: impl Into<Vec<Event>>,
) -> Case {
    Case {
        is_server: true,
        ..at_client(name, description, until_ms, events)
    }
}

fn in_order() -> Vec<Case> {
    vec![
        at_client(
            "client_side_in_order",
            "The ids of a server, from 0: each message is written when it arrives.",
            400,
            [data(0, 0, "a"), data(10, 1, "b"), data(20, 2, "c")],
        ),
        at_server(
            "server_side_first_id_is_1",
            "The ids of a client, from 1: the buffer expects 0, so that nothing is due before the \
                first message's age in whole seconds exceeds 6.",
            8200,
            [data(0, 1, "A"), data(50, 2, "B"), data(300, 3, "C")],
        ),
        at_server(
            "first_data_as_id_0",
            "A client that counts from 0 is served at once, and so is its Close.",
            500,
            [data(0, 0, "A"), data(30, 1, "B"), close(60, 2)],
        ),
        at_server(
            "empty_data_id_0_preamble_releases_id_1",
            "After an empty message with id 0 the ids from 1 do not wait.",
            600,
            [data(0, 0, ""), data(200, 1, "A"), data(210, 2, "B")],
        ),
    ]
}

fn out_of_order() -> Vec<Case> {
    vec![
        at_client(
            "client_side_reordered_one_per_tick",
            "When a gap closes, each tick releases one message.",
            700,
            [
                data(0, 1, "1"),
                data(1, 2, "2"),
                data(2, 3, "3"),
                data(10, 0, "0"),
            ],
        ),
        at_client(
            "gap_is_skipped_after_7s_and_late_message_written_out_of_order",
            "Id 2 becomes due by its age; id 1 is still written when it comes, and then id 3 has \
                to wait, because the expectation has moved back to 2.",
            16_000,
            [
                data(0, 0, "0"),
                data(10, 2, "2"),
                data(7600, 1, "1"),
                data(7650, 3, "3"),
            ],
        ),
        at_client(
            "gap_of_two_is_skipped_after_7s",
            "What follows a message that became due by its age is due in the next tick.",
            8200,
            [data(0, 0, "0"), data(300, 3, "3"), data(600, 4, "4")],
        ),
    ]
}

fn repeated() -> Vec<Case> {
    vec![
        at_client(
            "duplicate_of_an_old_id_is_written_again",
            "The copy is written too, and moves the expectation back, so that id 3 waits.",
            900,
            [
                data(0, 0, "0"),
                data(10, 1, "1"),
                data(20, 2, "2"),
                data(30, 1, "1"),
                data(200, 3, "3"),
            ],
        ),
        at_client(
            "two_messages_same_id",
            "Two messages of one id in the buffer are both written, in the order of arrival.",
            500,
            [data(0, 1, "x"), data(1, 1, "y"), data(5, 0, "0")],
        ),
    ]
}

fn closes() -> Vec<Case> {
    vec![
        at_server(
            "close_in_order",
            "A Close right behind the data ends the loop when it arrives.",
            400,
            [data(0, 0, "0"), close(10, 1)],
        ),
        at_client(
            "client_ignores_a_close_in_order",
            "The same at a client: every tick reports the Close, and nothing comes of it.",
            800,
            [data(0, 0, "0"), close(10, 1)],
        ),
        at_server(
            "close_out_of_order_decays_and_loses_data",
            "A Close ahead of id 1 becomes due by its age, and ends the loop at the next arrival; \
                id 1 comes too late.",
            8600,
            [
                data(0, 0, "0"),
                close(10, 2),
                data(7400, 3, "3"),
                data(7900, 1, "1"),
            ],
        ),
        at_server(
            "second_close_heals",
            "Close 2 overtakes id 1, so that a timer's tick reports it and it is ignored; the \
                same Close again is an arrival, and ends the loop.",
            4000,
            [
                data(0, 0, "0"),
                close(100, 2),
                data(150, 1, "1"),
                close(3150, 2),
            ],
        ),
        at_client(
            "client_that_ignores_close_repeats_data",
            "Data and the Close behind it become due in one tick: the tick writes the data and \
                ends at the Close before it removes anything, and so does every later one.",
            7600,
            [data(0, 0, "0"), close(10, 3), data(15, 2, "2")],
        ),
    ]
}

/// What a client sends for a short request with EOF behind it: id 1 and Close 2.
fn short_sessions() -> Vec<Case> {
    vec![
        at_server(
            "server_short_session_repeats_data_for_ever",
            "Request and Close within one tick (the Close first, so that the outcome is certain): \
                both become due in a timer's tick, which ignores the Close and removes nothing.",
            7900,
            [close(0, 2), data(5, 1, "A")],
        ),
        at_server(
            "server_short_session_close_never_honoured",
            "The Close some ticks later: the request is written once, at 7 s; the Close is due in \
                timers' ticks only.",
            8600,
            [data(0, 1, "A"), close(400, 2)],
        ),
    ]
}

/// Eight messages in an order that is drawn, closer together than the timer's ticks, so that only
/// arrivals decide what is written until the last has come.
fn shuffled(seed: u64) -> Vec<Case> {
    let mut rng = random(seed, "legacy_message_buffer");
    let mut arrivals = |in_place: usize, has_close: bool| -> Vec<Event> {
        let mut ids: Vec<u16> = (0..8).collect();
        ids[in_place..].shuffle(&mut rng);
        let message = |(at_ms, id)| match id {
            7 if has_close => close(at_ms, id),
            _ => data(at_ms, id, &format!("{id}:{:04x} ", rng.gen::<u16>())),
        };
        (0..).step_by(40).zip(ids).map(message).collect()
    };
    vec![
        at_client(
            "client_side_shuffled",
            "Everything comes out in the order of the ids, one message a tick.",
            2500,
            arrivals(0, false),
        ),
        // An id 0 that is not the first to arrive leaves open from where a server has to count.
        at_server(
            "server_side_shuffled_with_close",
            "The same behind an id 0, and with a Close at the end of the ids.",
            2500,
            arrivals(1, true),
        ),
    ]
}
