#[tokio::main]
async fn main() -> anyhow::Result<()> {
    proxies::server::serve("127.0.0.1:22", "keys").await
}
