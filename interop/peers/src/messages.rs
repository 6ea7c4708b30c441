//! Message-mode peers: the plain send and reply of the SDK, without streams.

use crate::{ready, report};
use anyhow::{Context, Result};
use nym_sdk::mixnet::{IncludedSurbs, MixnetClient, MixnetMessageSender, Recipient};
use serde_json::json;

pub async fn echo(mut client: MixnetClient) -> Result<()> {
    ready(&client);
    while let Some(messages) = client.wait_for_messages().await {
        for message in messages {
            if let Some(tag) = message.sender_tag {
                client.send_reply(tag, message.message).await?;
            }
        }
    }
    Ok(())
}

pub async fn client(mut client: MixnetClient, address: &str, text: String) -> Result<()> {
    let recipient = Recipient::try_from_base58_string(address)?;
    ready(&client);
    client
        .send_message(recipient, text.as_bytes(), IncludedSurbs::new(20))
        .await?;
    loop {
        let messages = client.wait_for_messages().await.context("the client ended")?;
        if let Some(message) = messages.into_iter().next() {
            report(json!({
                "event": "result",
                "ok": message.message == text.as_bytes(),
                "sender_tag": message.sender_tag.is_some(),
            }));
            client.disconnect().await;
            return Ok(());
        }
    }
}
