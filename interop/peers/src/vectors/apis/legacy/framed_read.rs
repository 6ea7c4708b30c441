//! `framed_read`: into which chunks the proxies cut what they read from a TCP connection.
//!
//! Both read the connection's read half through a `FramedRead` with a `BytesCodec`, and send each
//! chunk as one message.

use super::connection;
use crate::line::Rng;
use crate::vectors::support::random;
use anyhow::Result;
use futures::{future::try_join_all, StreamExt};
use serde_json::{json, Value};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_util::codec::{BytesCodec, FramedRead};

/// Sizes of writes, and of the chunks they were read in.
pub async fn section(seed: u64) -> Result<Value> {
    let cases = try_join_all(cases(seed).into_iter().map(run)).await?;
    Ok(json!({
        "description": "informative: chunk boundaries depend on socket timing; the invariant is \
            that no chunk exceeds 8192 bytes",
        "cases": cases,
    }))
}

/// Sizes of the writes, and milliseconds after each.
fn cases(seed: u64) -> Vec<(Vec<usize>, u64)> {
    let mut rng = random(seed, "framed_read");
    let mut drawn = || (0..6).map(|_| rng.gen_range(1..=12_000)).collect();
    vec![
        (vec![100], 20),
        (vec![8192], 20),
        (vec![8193], 20),
        (vec![20_000], 20),
        (vec![100, 200, 300], 30),
        (vec![5000, 5000, 5000], 30),
        (vec![65_536], 0),
        (vec![1, 9000], 30),
        (drawn(), 30),
        (drawn(), 0),
    ]
}

async fn run((writes, gap_ms): (Vec<usize>, u64)) -> Result<Value> {
    let (mut near, far) = connection().await?;
    let sizes = writes.clone();
    let writing = tokio::spawn(async move {
        for size in sizes {
            near.write_all(&vec![0; size]).await?;
            tokio::time::sleep(Duration::from_millis(gap_ms)).await;
        }
        near.shutdown().await
    });
    let (read, _write) = far.into_split();
    let mut framed_read = FramedRead::new(read, BytesCodec::new());
    let mut chunks = vec![];
    while let Some(chunk) = framed_read.next().await {
        chunks.push(chunk?.len());
    }
    writing.await??;
    Ok(json!({"writes": writes, "gap_ms": gap_ms, "chunks": chunks}))
}
