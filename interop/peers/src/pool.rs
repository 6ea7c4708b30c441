//! A user of the SDK's ClientPool: fills it, and sends one message from each client.

use crate::report;
use anyhow::{Context, Result};
use nym_sdk::client_pool::ClientPool;
use nym_sdk::mixnet::{IncludedSurbs, MixnetMessageSender, Recipient};
use serde_json::json;
use std::time::Duration;

pub async fn run(address: &str, reserve: usize) -> Result<()> {
    let recipient = Recipient::try_from_base58_string(address)?;
    let pool = ClientPool::new(reserve);
    let filler = pool.clone();
    tokio::spawn(async move { filler.start().await });
    while pool.get_client_count().await < reserve {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    report(json!({"event": "ready", "clients": reserve}));
    let mut answered = 0;
    for _ in 0..reserve {
        let mut client = pool.get_mixnet_client().await.context("the pool is empty")?;
        client
            .send_message(recipient, b"from the pool", IncludedSurbs::new(20))
            .await?;
        let answer = tokio::time::timeout(Duration::from_secs(60), client.wait_for_messages());
        if answer.await?.is_some_and(|messages| !messages.is_empty()) {
            answered += 1;
        }
        client.disconnect().await;
    }
    pool.disconnect_pool().await;
    report(json!({"event": "result", "ok": answered == reserve, "answered": answered}));
    Ok(())
}
