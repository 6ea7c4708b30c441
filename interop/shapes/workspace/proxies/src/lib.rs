//! Both proxies, for the tools of the workspace.

pub mod server;

use anyhow::Result;
use nym_sdk::{mixnet::Recipient, tcp_proxy::NymProxyClient};

pub async fn client(to: Recipient) -> Result<NymProxyClient> {
    NymProxyClient::new(to, "127.0.0.1", "8080", 60, Some("network.env".into()), 4).await
}
