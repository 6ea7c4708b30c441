//! Carries the agent's connections to the backup store.
use nym_sdk::mixnet::Recipient;
use nym_sdk::tcp_proxy::NymProxyClient;
use std::env;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let server: Recipient = env::var("SERVER_ADDRESS")?.parse()?;
    let client = NymProxyClient::new(
        server,
        "127.0.0.1",
        "8080",
        60, // seconds without data until a connection is closed
        Some("/etc/nym-proxy/mainnet.env".to_string()),
        4,
    )
    .await?;
    client.run().await?;
    Ok(())
}
