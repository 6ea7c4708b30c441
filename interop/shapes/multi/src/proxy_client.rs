use anyhow::Result;
use nym_sdk::{mixnet::Recipient, tcp_proxy};

#[tokio::main]
async fn main() -> Result<()> {
    let server: Recipient = std::env::args().nth(1).unwrap_or_default().parse()?;
    let client = tcp_proxy::NymProxyClient::new_with_defaults(server, None).await?;
    client.run().await
}
