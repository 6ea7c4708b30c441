//! The old proxies as a program writes them, on the module that `nymproxy-migrate rewrite
//! --rust-suggest` gives it: apart from the `use` line this is code for `nym_sdk::tcp_proxy`.

use crate::nymproxy_compat::{NymProxyClient, NymProxyServer};
use crate::report;
use anyhow::Result;
use nym_sdk::mixnet::{ed25519, Recipient};
use serde_json::json;

pub async fn client(address: &str, port: &str, env: Option<String>) -> Result<()> {
    let address = Recipient::try_from_base58_string(address)?;
    let proxy = NymProxyClient::new(address, "127.0.0.1", port, 10, env, 1).await?;
    report(json!({"event": "ready", "local_address": format!("127.0.0.1:{port}")}));
    let running = proxy.clone();
    let accepting = tokio::spawn(async move { running.run().await });
    tokio::signal::ctrl_c().await?;
    proxy.disconnect().await;
    accepting.await?
}

pub async fn server(
    upstream: &str,
    directory: &str,
    env: Option<String>,
    gateway: Option<&str>,
) -> Result<()> {
    let gateway = gateway.map(ed25519::PublicKey::from_base58_string).transpose()?;
    let mut proxy = NymProxyServer::new(upstream, directory, env, gateway).await?;
    report(json!({"event": "ready", "address": proxy.nym_address().to_string()}));
    let stop = proxy.disconnect_signal();
    let serving = tokio::spawn(async move { proxy.run_with_shutdown().await });
    tokio::signal::ctrl_c().await?;
    stop.send(()).await?;
    serving.await?
}
