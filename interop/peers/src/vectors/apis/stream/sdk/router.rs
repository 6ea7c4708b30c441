//! The router of nym-sdk, given one message.

use super::{run_router, StreamMap, DEFAULT_STREAM_IDLE_TIMEOUT, SENDER};
use anyhow::{ensure, Context, Result};
use nym_sdk::mixnet::ReconstructedMessage;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Whether the router neither hands a message to its listener nor keeps it for a stream.
pub async fn drops(message: &[u8]) -> Result<bool> {
    let streams = StreamMap::new();
    let (listener, mut opened) = mpsc::unbounded_channel();
    let (mixnet, received) = futures::channel::mpsc::unbounded();
    let message = ReconstructedMessage::new(message.to_vec(), SENDER.into());
    mixnet
        .unbounded_send(vec![message])
        .context("the router does not listen")?;
    drop(mixnet); // the router ends behind the message
    run_router(
        received,
        streams.clone(),
        listener,
        CancellationToken::new(),
        DEFAULT_STREAM_IDLE_TIMEOUT,
    )
    .await;
    let kept = streams.inner.lock().await.orphans.len();
    let Ok(open) = opened.try_recv() else {
        return Ok(kept == 0);
    };
    ensure!(
        kept == 0 && open.sender_tag == Some(SENDER.into()),
        "the router made something else of the Open of {} with {} bytes",
        open.stream_id,
        open.initial_data.len()
    );
    Ok(false)
}
