//! What the nodes of a route make of a packet.

use super::secret::{keystream, Expanded};
use super::sender::Hop;
use super::{kind, xor};
use crate::vectors::support::join;
use anyhow::{bail, ensure, Result};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use sphinx_packet::constants::{
    DESTINATION_ADDRESS_LENGTH, FINAL_NODE_META_INFO_LENGTH, FLAG_LENGTH,
    HEADER_INTEGRITY_MAC_SIZE, VERSION_LENGTH,
};
use sphinx_packet::header::filler::FILLER_STEP_SIZE_INCREASE;
use sphinx_packet::header::SphinxHeader;
use sphinx_packet::payload::Payload;
use sphinx_packet::route::{DestinationAddressBytes, SURBIdentifier};
use sphinx_packet::{ProcessedPacketData, SphinxPacket};

/// Forwarded packets with payloads up to this length are given whole, others by their digest.
const SMALL_PAYLOAD: usize = 100;

/// The hops of a packet, and the padding that its sender drew for the last of them.
pub struct Trace {
    pub hops: Vec<Value>,
    pub final_padding: Vec<u8>,
}

/// Let each node of the route process what the one before it made.
pub fn trace(mut packet: SphinxPacket, route: &[Hop]) -> Result<Trace> {
    let mut hops = Vec::new();
    for hop in route {
        let shared = hop.private_key.diffie_hellman(&packet.header.shared_secret);
        let secret = packet
            .header
            .compute_expanded_shared_secret(&hop.private_key);
        let expanded = Expanded::of(&secret)?;
        let clear = clear_routing(&packet.header, &expanded);
        let processed = packet.process_with_expanded_secret(&secret)?;
        let common = json!({
            "shared_secret": hex::encode(shared.as_bytes()),
            "expanded_secret": hex::encode(expanded.bytes()),
            "replay_tag": hex::encode(secret.replay_tag()),
            "version": processed.version.value(),
        });
        match processed.data {
            ProcessedPacketData::ForwardHop {
                next_hop_packet,
                next_hop_address,
                delay,
            } => {
                let mut fields = forwarded(&next_hop_packet);
                fields["next_hop_address"] = json!(hex::encode(next_hop_address.to_bytes()));
                fields["delay_ns"] = json!(delay.to_nanos().to_string());
                hops.push(join([common, fields]));
                packet = next_hop_packet;
            }
            ProcessedPacketData::FinalHop {
                destination,
                identifier,
                payload,
            } => {
                ensure!(
                    hops.len() + 1 == route.len(),
                    "a packet ended before its last hop"
                );
                let final_padding = padding(&clear, route.len(), destination)?;
                hops.push(join([common, delivered(destination, identifier, payload)]));
                return Ok(Trace {
                    hops,
                    final_padding,
                });
            }
        }
    }
    bail!("a packet went beyond its last hop")
}

/// The routing information of a header without the layer of the hop that has `expanded`.
pub fn clear_routing(header: &SphinxHeader, expanded: &Expanded) -> Vec<u8> {
    let routing = header.routing_info.to_bytes();
    xor(
        &routing[HEADER_INTEGRITY_MAC_SIZE..],
        &keystream(&expanded.stream_key()),
    )
}

/// What stands between the last hop's own data and the filler. Nodes have no use for it, so the
/// crate has no reader of it either; that the destination stands before it is checked.
fn padding(clear: &[u8], hops: usize, destination: DestinationAddressBytes) -> Result<Vec<u8>> {
    let start = FLAG_LENGTH + VERSION_LENGTH;
    ensure!(
        clear[start..start + DESTINATION_ADDRESS_LENGTH] == destination.as_bytes(),
        "the routing information was taken apart in a wrong way"
    );
    let end = clear.len() - FILLER_STEP_SIZE_INCREASE * (hops - 1);
    Ok(clear[FINAL_NODE_META_INFO_LENGTH..end].to_vec())
}

fn forwarded(next: &SphinxPacket) -> Value {
    let payload = next.payload.as_bytes();
    let mut fields = json!({
        "kind": "forward",
        "next_header": hex::encode(next.header.to_bytes()),
        "next_payload_sha256": hex::encode(Sha256::digest(payload)),
    });
    if payload.len() <= SMALL_PAYLOAD {
        fields["next_packet"] = json!(hex::encode(next.to_bytes()));
    }
    fields
}

fn delivered(
    destination: DestinationAddressBytes,
    identifier: SURBIdentifier,
    payload: Payload,
) -> Value {
    let bytes = payload.as_bytes();
    let mut fields = json!({
        "kind": "final",
        "destination": hex::encode(destination.as_bytes()),
        "identifier": hex::encode(identifier),
        "payload_sha256": hex::encode(Sha256::digest(bytes)),
        "payload_first_64": hex::encode(&bytes[..bytes.len().min(64)]),
    });
    let (plaintext, error) = match payload.recover_plaintext() {
        Ok(plaintext) => (Some(hex::encode(plaintext)), None),
        Err(error) => (None, Some(kind(&error))),
    };
    fields["recovered_plaintext"] = json!(plaintext);
    fields["recover_error"] = json!(error);
    fields
}
