use nym_sdk::tcp_proxy::{NymProxyClient, NymProxyServer};

// NymProxyClient::new(address) is what this once was.
async fn both(address: &str) -> anyhow::Result<()> {
    let client = NymProxyClient::new(address, "127.0.0.1", "8080", 60, None, 2).await?;
    let mut server = NymProxyServer::new("127.0.0.1:3000", "/srv/nym", None, None).await?;
    println!("NymProxyClient::new() {}", server.nym_address());
    Ok(())
}
