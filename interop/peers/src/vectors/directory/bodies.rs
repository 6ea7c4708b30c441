//! `endpoints`: the bodies, in both formats.

use super::network::Network;
use anyhow::Result;
use nym_api_requests::models::KeyRotationInfoResponse;
use nym_api_requests::nym_nodes::{PaginatedCachedNodesResponseV2, SkimmedNodeV1};
use nym_http_api_common::{make_bincode_serializer, BincodeOptions};
use serde::Serialize;
use serde_json::{json, Value};

/// The requests of a client, and what it gets for each.
pub fn endpoints(network: &Network) -> Result<Value> {
    let epoch_id = network.rewarded_set.epoch_id;
    let rotation_id = network.rotation.current_key_rotation_id();
    let page = |nodes: Vec<SkimmedNodeV1>| {
        PaginatedCachedNodesResponseV2::new_full(epoch_id, rotation_id, network.refreshed_at, nodes)
    };
    let all = network.nodes.iter().map(|node| node.skimmed.clone());
    let mut no_updates =
        PaginatedCachedNodesResponseV2::<SkimmedNodeV1>::no_updates(epoch_id, rotation_id);
    no_updates.metadata.refreshed_at = network.refreshed_at.into();
    Ok(json!({
        "GET /v1/epoch/key-rotation-info":
            body(&KeyRotationInfoResponse::from(network.rotation))?,
        "GET /v1/nym-nodes/rewarded-set": body(&network.rewarded_set)?,
        "GET /v2/unstable/nym-nodes/skimmed/mixnodes/active?page=0":
            body(&page(network.skimmed(true)).fresh(network.interval))?,
        "GET /v2/unstable/nym-nodes/skimmed/entry-gateways?page=0":
            body(&page(network.skimmed(false)).fresh(network.interval))?,
        "GET /v2/unstable/nym-nodes/skimmed?page=0": body(&page(all.collect()))?,
        "no-updates variant (client sent a known epoch_id)": body(&no_updates)?,
    }))
}

fn body(value: &impl Serialize) -> Result<Value> {
    // Bincode has no form for flattened structs, and so none for the key rotation info.
    let bincode = make_bincode_serializer().serialize(value).ok();
    Ok(json!({
        "json_text": serde_json::to_string(value)?,
        "bincode_hex": bincode.map(hex::encode),
    }))
}
