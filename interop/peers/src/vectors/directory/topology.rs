//! The topology that a client with the default configuration fetches from these bodies.

use super::network::Network;
use crate::line;
use anyhow::{Context, Result};
use nym_client_core::client::topology_control::{NymApiTopologyProvider, TopologyProvider};
use nym_client_core::config::DebugConfig;
use nym_topology::{NymTopology, RoutingNode};
use serde_json::{json, Map, Value};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Let the client's own provider fetch the topology, from a server that answers as `endpoints` say.
pub async fn fetch(endpoints: &Value) -> Result<NymTopology> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/api/", listener.local_addr()?);
    let client = nym_http_api_client::Client::new_url(url, Some(TIMEOUT))?;
    let server = tokio::spawn(serve(listener, Arc::new(endpoints.clone())));
    let topology = NymApiTopologyProvider::new(DebugConfig::default().topology, client)
        .get_new_topology()
        .await;
    server.abort();
    topology.context("the client makes no topology of these bodies")
}

async fn serve(listener: TcpListener, endpoints: Arc<Value>) {
    while let Ok((connection, _)) = listener.accept().await {
        let endpoints = endpoints.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(connection, &endpoints).await {
                tracing::warn!("a request was not answered: {error:#}");
            }
        });
    }
}

/// Answer the one request of a connection.
async fn answer(connection: TcpStream, endpoints: &Value) -> Result<()> {
    let mut connection = BufReader::new(connection);
    let mut request = String::new();
    connection.read_line(&mut request).await?;
    let mut header = request.clone();
    while !header.trim().is_empty() {
        header.clear();
        connection.read_line(&mut header).await?;
    }
    // As the keys of `endpoints`: method and target, less what precedes the version.
    let asked = request.split(" HTTP/").next().unwrap_or_default();
    let body = endpoints[asked.replacen("/api", "", 1)]["json_text"]
        .as_str()
        .with_context(|| format!("the client asks for something else: {asked}"))?;
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(response.as_bytes()).await?;
    connection.shutdown().await?;
    Ok(())
}

/// What the file says about the topology.
pub fn sections(network: &Network, topology: NymTopology) -> Result<Value> {
    let persisted = serde_json::to_string(&topology)?;
    let strict = line::routes(topology, false);
    let lenient = strict.clone().with_ignore_egress_epoch_roles(true);
    let ids = network.nodes.iter().map(|node| node.skimmed.node_id);
    let nodes: Vec<_> = ids
        .filter_map(|id| strict.topology.find_node(id))
        .map(|node| {
            let mut node_object = describe(node);
            node_object.insert(
                "egress_ok_strict".into(),
                strict.egress_by_identity(node.identity_key).is_ok().into(),
            );
            node_object.insert(
                "egress_ok_ignore_roles".into(),
                lenient.egress_by_identity(node.identity_key).is_ok().into(),
            );
            node_object
        })
        .collect();
    let refreshed_at = strict.metadata().refreshed_at.unix_timestamp_nanos();
    Ok(json!({
        "refreshed_at_unix_nanos": i64::try_from(refreshed_at)?,
        "topology_persisted_json_text": persisted,
        "topology_default_config": {
            "is_empty": strict.topology.is_empty(),
            "is_minimally_routable": strict.topology.is_minimally_routable(),
            "nodes": nodes,
        },
    }))
}

fn describe(node: &RoutingNode) -> Map<String, Value> {
    let urls = |no_hostname| {
        let (primary, fallback) = node.ws_entry_address_with_fallback(false, no_hostname);
        json!({"primary": primary, "fallback": fallback})
    };
    Map::from_iter([
        ("node_id".into(), node.node_id.into()),
        (
            "identity_bs58".into(),
            node.identity_key.to_base58_string().into(),
        ),
        (
            "sphinx_key_bs58".into(),
            node.sphinx_key.to_base58_string().into(),
        ),
        ("mix_host".into(), node.mix_host.to_string().into()),
        (
            "supported_mixnode".into(),
            node.supported_roles.mixnode.into(),
        ),
        (
            "supported_entry".into(),
            node.supported_roles.mixnet_entry.into(),
        ),
        (
            "supported_exit".into(),
            node.supported_roles.mixnet_exit.into(),
        ),
        (
            "ws_entry_address_tls".into(),
            node.ws_entry_address_tls().into(),
        ),
        (
            "ws_entry_address_no_tls".into(),
            node.ws_entry_address_no_tls(false).into(),
        ),
        ("with_fallback".into(), urls(false)),
        ("with_fallback_no_hostname".into(), urls(true)),
    ])
}
