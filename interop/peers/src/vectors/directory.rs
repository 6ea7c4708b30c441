//! `directory.json`: what a nym-api serves, what a client makes of it, and how env files are read.

pub mod env_files;

mod bodies;
mod network;
mod rules;
mod topology;

use super::support::{join, random};
use crate::line::CRATES;
use anyhow::Result;
use network::Network;
use serde_json::{json, Value};
use tokio::runtime::Handle;

/// The whole file.
pub fn make(seed: u64) -> Result<Value> {
    let network = Network::new(&mut random(seed, "directory"))?;
    let endpoints = bodies::endpoints(&network)?;
    let fetched =
        tokio::task::block_in_place(|| Handle::current().block_on(topology::fetch(&endpoints)))?;
    Ok(join([
        json!({
            "description": format!(
                "Bodies a nym-api serves to a {CRATES} client; json_text is the exact serde_json \
                    text, bincode_hex the exact body for output=bincode"
            ),
            "source": format!(
                "nym-api-requests, nym-topology, nym-client-core, nym-http-api-client, \
                    nym-http-api-common, nym-mixnet-contract-common, nym-sphinx-params, nym-crypto \
                    {CRATES}; bincode 1.3.3; env_files: nym-network-defaults {CRATES}, dotenvy \
                    0.15.7"
            ),
            "crates": CRATES,
            "base_path": "/api (whatever precedes /v1 in the nym-api url)",
            "endpoints": endpoints,
            "node_private_keys": network.private_keys(),
            "key_rotation": rules::key_rotation(),
            "performance_rounding": rules::performance_rounding()?,
            "env_files": env_files::make()?,
        }),
        topology::sections(&network, fetched)?,
    ]))
}
