//! TCP on both ends of a stream, as a program that leaves TcpProxy for Streams would do it.
//!
//! A Rust stream cannot tell its peer that it has ended, and `shutdown` of its writer ends its own
//! reader too; so the end of a TCP socket is not passed on, and the stream is kept until the other
//! side ends it.

use crate::{ready, report};
use anyhow::Result;
use nym_sdk::mixnet::{MixnetClient, MixnetStream, Recipient};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PIECE: usize = 8192;

async fn carry(socket: TcpStream, stream: MixnetStream) {
    let (mut from_mixnet, mut to_mixnet) = tokio::io::split(stream);
    let (mut from_socket, mut to_socket) = socket.into_split();
    let outbound = tokio::spawn(async move {
        let mut buffer = vec![0u8; PIECE];
        while let Ok(count) = from_socket.read(&mut buffer).await {
            if count == 0 || to_mixnet.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        // Keep the write half: dropping both halves would end the stream here.
        to_mixnet
    });
    let mut buffer = vec![0u8; 65536];
    let mut end_of_data = false;
    while let Ok(count) = from_mixnet.read(&mut buffer).await {
        if count == 0 {
            end_of_data = true;
            break;
        }
        if to_socket.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to_socket.shutdown().await;
    report(json!({"event": "stream-ended", "end_of_data": end_of_data}));
    let _ = outbound.await;
}

pub async fn acceptor(mut client: MixnetClient, upstream: String) -> Result<()> {
    let mut listener = client.listener()?;
    ready(&client);
    while let Some(stream) = listener.accept().await {
        let upstream = upstream.clone();
        tokio::spawn(async move {
            match TcpStream::connect(&upstream).await {
                Ok(socket) => carry(socket, stream).await,
                Err(error) => report(json!({"event": "refused", "error": error.to_string()})),
            }
        });
    }
    Ok(())
}

pub async fn dialer(
    mut client: MixnetClient,
    address: &str,
    listen: &str,
    surbs: Option<u32>,
) -> Result<()> {
    let recipient = Recipient::try_from_base58_string(address)?;
    let listener = TcpListener::bind(listen).await?;
    report(json!({
        "event": "ready",
        "address": client.nym_address().to_string(),
        "local_address": listener.local_addr()?.to_string(),
    }));
    loop {
        let (socket, _) = listener.accept().await?;
        let stream = client.open_stream(recipient, surbs).await?;
        tokio::spawn(carry(socket, stream));
    }
}
