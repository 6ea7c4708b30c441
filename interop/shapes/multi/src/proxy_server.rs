use anyhow::Result;
use nym_sdk::tcp_proxy::NymProxyServer;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    let mut server = NymProxyServer::new("127.0.0.1:22", &folder, None, None).await?;
    println!("{}", server.nym_address());
    let stop = server.disconnect_signal();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = stop.send(()).await;
        }
    });
    server.run_with_shutdown().await
}
