//! Section `stream_reader`: what reads on a stream return.

use super::mixnet_stream::MixnetStream;
use super::{StreamId, StreamMap, SENDER};
use anyhow::{Context, Result};
use nym_client_core::client::base_client::ClientInput;
use serde_json::{json, Value};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// How often each case reads on after it has got everything.
const READS_AFTER: usize = 4;

/// Name, size of the buffer, messages in the order of their numbers.
const CASES: [(&str, usize, &[&[u8]]); 6] = [
    ("plain", 10, &[b"abc", b"de"]),
    ("small_buffer", 4, &[b"abcdef", b"gh"]),
    ("empty_data_reads_as_eof_once", 10, &[b"abc", b"", b"more"]),
    ("one_byte_at_a_time", 1, &[b"abc", b"d"]),
    ("empty_data_behind_spillover", 2, &[b"abcde", b"", b"f"]),
    ("nothing_but_the_end", 10, &[]),
];

/// Make the section.
pub async fn section() -> Result<Value> {
    let mut cases = Vec::new();
    for (name, buffer, messages) in CASES {
        let reads = reads(buffer, messages).await?;
        cases.push(json!({
            "name": name,
            "buffer": buffer,
            "messages": messages.iter().map(hex::encode).collect::<Vec<_>>(),
            "reads": reads.iter().map(hex::encode).collect::<Vec<_>>(),
        }));
    }
    Ok(json!({
        "description": "what successive read() calls on a Rust 1.21.6 MixnetStream return (hex; \
            empty string = 0 bytes = EOF to the caller). An empty Data message reads as one EOF.",
        "cases": cases,
    }))
}

async fn reads(buffer: usize, messages: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
    let streams = StreamMap::new();
    let id = StreamId::from_u64(7);
    let inbound = streams
        .register_stream(id)
        .await
        .context("a new table knows the stream already")?;
    for (sequence, message) in (0..).zip(messages) {
        streams
            .send_to_stream(&id, sequence, message.to_vec())
            .await;
    }
    streams.remove(&id).await; // otherwise the reads behind the last message would wait
    let (client, none) = (idle_client(), Vec::new());
    let tag = SENDER.into();
    let mut stream = MixnetStream::new_inbound(id, tag, client, None, streams, inbound, none);
    let mut space = vec![0; buffer];
    let mut reads = Vec::new();
    let of_one = |message: &&[u8]| message.len().div_ceil(buffer).max(1);
    for _ in 0..messages.iter().map(of_one).sum::<usize>() + READS_AFTER {
        let count = stream.read(&mut space).await?;
        reads.push(space[..count].to_vec());
    }
    Ok(reads)
}

/// What a stream would send through; these streams send nothing.
fn idle_client() -> ClientInput {
    ClientInput {
        connection_command_sender: futures::channel::mpsc::unbounded().0,
        input_sender: mpsc::channel(1).0,
        client_request_sender: mpsc::channel(1).0,
    }
}
