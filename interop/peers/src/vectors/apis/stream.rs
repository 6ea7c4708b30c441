//! The sections on streams: LP frames, the routing table behind them, and reading from a stream.

mod extension;
mod frames;
mod sdk;
mod traces;

use super::super::support::random;
use anyhow::Result;
use serde_json::{json, Value};

/// Make the sections.
pub fn sections(seed: u64) -> Result<Value> {
    // The published code locks and spawns as part of a runtime, and we may be called from a task,
    // which must not block on another one: hence a thread.
    let worker = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?
            .block_on(make(seed))
    });
    worker
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn make(seed: u64) -> Result<Value> {
    Ok(json!({
        "lp_frame_encode": frames::encoded(&mut random(seed, "apis: lp_frame_encode")),
        "lp_frame_decode": frames::decoded(&mut random(seed, "apis: lp_frame_decode")).await?,
        "extension_frames": extension::frames().await?,
        "stream_map": traces::replayed(&mut random(seed, "apis: stream_map")).await,
        "stream_reader": sdk::reader::section().await?,
    }))
}
