use anyhow::Result;
use nym_sdk::tcp_proxy::NymProxyServer;

pub async fn serve(upstream: &str, folder: &str) -> Result<()> {
    let mut server = NymProxyServer::new(upstream, folder, None, None).await?;
    server.run_with_shutdown().await
}
