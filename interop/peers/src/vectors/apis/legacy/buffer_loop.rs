//! `legacy_message_buffer`: the reorder buffer of the proxies in real time, on a real socket.
//!
//! Only the buffer is public; the loops around it (`tcp_proxy_client.rs`, `tcp_proxy_server.rs`)
//! need a mixnet, so that the part of them that uses the buffer is here: a tick on each arrival,
//! and one after each 100 ms without any. Both ignore a Close that a timer's tick reports; on an
//! arrival the server leaves its loop then, and the client does not.

use super::buffer_cases::{cases, Case, Event};
use super::connection;
use crate::line::Rng;
use crate::vectors::support::random;
use anyhow::{ensure, Result};
use futures::future::try_join_all;
use nym_sdk::tcp_proxy::{MessageBuffer, Payload, ProxiedMessage};
use serde_json::{json, Value};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{timeout_at, Instant};
use uuid::Builder;

const SILENCE: Duration = Duration::from_millis(100);

/// All cases, run at the same time.
pub async fn section(seed: u64) -> Result<Value> {
    let cases = try_join_all(cases(seed).into_iter().map(|case| run(case, seed))).await?;
    Ok(json!({
        "description": "real-time runs of the Rust MessageBuffer: pushes at the given times, a \
            tick on each arrival and after each 100 ms of silence; times are approximate; what \
            one tick wrote is one entry of 'writes'",
        "cases": cases,
    }))
}

/// What a run did. Times are whole milliseconds since its start.
#[derive(Default)]
struct Trace {
    last_tick_ms: u64,
    writes: Vec<(u64, Vec<u8>)>,
    first_close: Option<(u64, &'static str)>,
    close_reports: usize,
    left_at_ms: Option<u64>,
    errors: Vec<String>,
}

impl Trace {
    /// Of the last tick, because what came before it has been read before it.
    fn wrote(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.writes.push((self.last_tick_ms, bytes));
        }
    }

    fn closed(&mut self, on_arrival: bool, is_server: bool) {
        let trigger = if on_arrival { "arrival" } else { "timer" };
        self.close_reports += 1;
        self.first_close.get_or_insert((self.last_tick_ms, trigger));
        if on_arrival && is_server {
            self.left_at_ms = Some(self.last_tick_ms);
        }
    }
}

async fn run(case: Case, seed: u64) -> Result<Value> {
    let session = Builder::from_random_bytes(random(seed, case.name).gen()).into_uuid();
    let (near, mut far) = connection().await?;
    let (_read, mut write) = near.into_split();
    let mut buffer = MessageBuffer::new();
    let mut trace = Trace::default();
    let mut arrivals = case.events.iter().peekable();
    let start = Instant::now();
    let time = |at_ms| start + Duration::from_millis(at_ms);
    while trace.left_at_ms.is_none() && trace.errors.is_empty() {
        let silent_at = Instant::now() + SILENCE;
        let arrival = arrivals.next_if(|event| time(event.at_ms) <= silent_at);
        let next_tick = arrival.map_or(silent_at, |event| time(event.at_ms));
        if next_tick > time(case.until_ms) {
            break;
        }
        trace.wrote(read_until(&mut far, next_tick).await?);
        if let Some(event) = arrival {
            let payload = event.payload.clone();
            buffer.push(ProxiedMessage::new(payload, session, event.message_id));
        }
        trace.last_tick_ms = start.elapsed().as_millis().try_into()?;
        match buffer.tick(&mut write).await {
            Ok(true) => trace.closed(arrival.is_some(), case.is_server),
            Ok(false) => {}
            Err(error) => trace.errors.push(error.to_string()),
        }
    }
    drop(write);
    let mut rest = vec![];
    far.read_to_end(&mut rest).await?;
    trace.wrote(rest);
    Ok(report(&case, &buffer, &trace))
}

/// What has come out of the socket, or comes before `deadline`.
async fn read_until(socket: &mut TcpStream, deadline: Instant) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    while let Ok(read) = timeout_at(deadline, socket.read_buf(&mut bytes)).await {
        ensure!(read? > 0, "the buffer's socket has ended");
    }
    Ok(bytes)
}

fn report(case: &Case, buffer: &MessageBuffer, trace: &Trace) -> Value {
    let writes = trace
        .writes
        .iter()
        .map(|(at_ms, bytes)| json!({"approx_at_ms": at_ms, "bytes": hex::encode(bytes)}));
    let first_close = trace
        .first_close
        .map(|(at_ms, trigger)| json!({"at_ms": at_ms, "trigger": trigger}));
    json!({
        "name": case.name,
        "description": case.description,
        "side": if case.is_server { "server" } else { "client" },
        "events": case.events.iter().map(event).collect::<Vec<_>>(),
        "until_ms": case.until_ms,
        "writes": writes.collect::<Vec<_>>(),
        "first_reported_close": first_close,
        "ticks_that_reported_close": trace.close_reports,
        "loop_left_at_ms": trace.left_at_ms,
        "left_in_buffer": buffer.iter().map(|message| message.message_id()).collect::<Vec<_>>(),
        "errors": trace.errors,
    })
}

fn event(event: &Event) -> Value {
    let (kind, data) = match &event.payload {
        Payload::Data(data) => ("data", hex::encode(data)),
        Payload::Close => ("close", String::new()),
    };
    json!({"at_ms": event.at_ms, "kind": kind, "message_id": event.message_id, "data": data})
}
