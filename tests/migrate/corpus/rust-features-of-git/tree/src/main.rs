use nym_sdk::tcp_proxy::NymProxyClient;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    NymProxyClient::new_with_defaults("A".parse()?, None).await?.run().await
}
