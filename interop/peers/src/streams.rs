//! Stream peers that need no TCP: echo, client with digest and timing, reader to the end.

use crate::{ready, report};
use anyhow::{Context, Result};
use nym_sdk::mixnet::{MixnetClient, Recipient};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TIMEOUT: Duration = Duration::from_secs(300);

pub async fn echo(mut client: MixnetClient) -> Result<()> {
    let mut listener = client.listener()?;
    ready(&client);
    while let Some(stream) = listener.accept().await {
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let mut buffer = vec![0u8; 65536];
            loop {
                match reader.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => {
                        if writer.write_all(&buffer[..count]).await.is_err() {
                            break;
                        }
                    }
                }
            }
            report(json!({"event": "stream-ended"}));
        });
    }
    Ok(())
}

pub async fn client(
    mut client: MixnetClient,
    address: &str,
    bytes: usize,
    write: usize,
    surbs: Option<u32>,
) -> Result<()> {
    let recipient = Recipient::try_from_base58_string(address)?;
    ready(&client);
    let payload: Vec<u8> = (0..bytes).map(|index| (index * 31 % 251) as u8).collect();
    let expected = hex::encode(Sha256::digest(&payload));
    let started = Instant::now();
    let stream = client.open_stream(recipient, surbs).await?;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sending = tokio::spawn(async move {
        for piece in payload.chunks(write) {
            writer.write_all(piece).await?;
        }
        Ok::<_, std::io::Error>(writer)
    });
    let mut received = vec![0u8; bytes];
    let first = tokio::time::timeout(TIMEOUT, reader.read(&mut received))
        .await
        .context("no first byte in time")??;
    let first_byte = started.elapsed();
    tokio::time::timeout(TIMEOUT, reader.read_exact(&mut received[first..]))
        .await
        .context("not all bytes in time")??;
    let total = started.elapsed();
    let digest = hex::encode(Sha256::digest(&received));
    sending.await??;
    report(json!({
        "event": "result",
        "ok": digest == expected,
        "bytes": bytes,
        "sha256": digest,
        "first_byte_seconds": first_byte.as_secs_f64(),
        "seconds": total.as_secs_f64(),
    }));
    client.disconnect().await;
    Ok(())
}

pub async fn reader(mut client: MixnetClient) -> Result<()> {
    let mut listener = client.listener()?;
    ready(&client);
    let mut stream = listener.accept().await.context("the client ended")?;
    let mut received = Vec::new();
    let outcome = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut received)).await;
    report(json!({
        "event": "result",
        "end_of_data": matches!(outcome, Ok(Ok(_))),
        "bytes": received.len(),
        "sha256": hex::encode(Sha256::digest(&received)),
    }));
    client.disconnect().await;
    Ok(())
}
