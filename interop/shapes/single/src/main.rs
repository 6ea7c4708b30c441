use anyhow::Result;
use nym_sdk::mixnet::Recipient;
use nym_sdk::tcp_proxy::NymProxyClient;

#[tokio::main]
async fn main() -> Result<()> {
    let server: Recipient = std::env::args().nth(1).unwrap_or_default().parse()?;
    let client = NymProxyClient::new(server, "127.0.0.1", "8080", 60, None, 2).await?;
    let running = client.clone();
    tokio::spawn(async move { running.run().await });
    tokio::signal::ctrl_c().await?;
    client.disconnect().await;
    Ok(())
}
