//! Packets on their way: each node unwraps as nym-sphinx-framing does for the real nodes, and the
//! last one takes the ack from the data.

use super::world::{Node, World};
use anyhow::{bail, Context, Result};
use nym_sphinx::addressing::nodes::NymNodeRoutingAddress;
use nym_sphinx::forwarding::packet::MixPacket;
use nym_sphinx::framing::packet::FramedNymPacket;
use nym_sphinx::framing::processing::{
    process_framed_packet, MixProcessingResultData, ProcessedFinalHop,
};
use nym_sphinx::{NymPacket, NymProcessedPacket, ProcessedPacketData};
use serde_json::{json, Value};

/// A packet at its last node: what each node saw, and what the last one found.
pub struct Arrival {
    pub hops: Vec<Value>,
    pub last: ProcessedFinalHop,
}

/// Carry a packet to its last node.
pub fn travel(world: &World, packet: MixPacket) -> Result<Arrival> {
    let mut packet = packet;
    let mut hops = Vec::new();
    loop {
        let node = world.node_at(packet.next_hop_address())?;
        // The framing crate drops the SURB identifier, so that this record is made from a second
        // unwrapping.
        let copy = NymPacket::sphinx_from_bytes(&packet.packet().to_bytes()?)?;
        hops.push(seen_at(node, copy)?);
        let framed = FramedNymPacket::from_mix_packet(packet, false);
        let result = process_framed_packet(framed, node.sphinx.private_key().inner())?;
        match result.processing_data {
            MixProcessingResultData::ForwardHop { packet: next, .. } => packet = next,
            MixProcessingResultData::FinalHop { final_hop_data } => {
                return Ok(Arrival {
                    hops,
                    last: final_hop_data,
                })
            }
        }
    }
}

fn seen_at(node: &Node, packet: NymPacket) -> Result<Value> {
    let NymProcessedPacket::Sphinx(unwrapped) =
        packet.process(node.sphinx.private_key().inner())?
    else {
        bail!("not a Sphinx packet")
    };
    let version = unwrapped.version.value();
    Ok(match unwrapped.data {
        ProcessedPacketData::ForwardHop {
            next_hop_address,
            delay,
            ..
        } => json!({
            "node_id": node.id,
            "sphinx_version": version,
            "next": NymNodeRoutingAddress::try_from(next_hop_address)?.to_string(),
            "delay_nanos": delay.to_nanos().to_string(),
        }),
        ProcessedPacketData::FinalHop {
            destination,
            identifier,
            ..
        } => json!({
            "node_id": node.id,
            "sphinx_version": version,
            "final": true,
            "destination": hex::encode(destination.as_bytes()),
            "surb_identifier": hex::encode(identifier),
        }),
    })
}

/// A data packet from its sender to its recipient, and its ack back.
pub struct RoundTrip {
    pub data: Arrival,
    pub ack: Arrival,
    pub record: Value,
}

/// Carry a data packet and then its ack.
pub fn there_and_back(world: &World, packet: MixPacket) -> Result<RoundTrip> {
    let first_hop = packet.next_hop().to_string();
    let encoded = packet.into_v2_bytes()?;
    let mut data = travel(world, MixPacket::try_from_v2_bytes(&encoded)?)?;
    let ack_packet = data
        .last
        .forward_ack
        .take()
        .context("the data packet brought no ack")?;
    let ack_first_hop = ack_packet.next_hop().to_string();
    let ack = travel(world, ack_packet)?;
    let record = json!({
        "mix_packet_v2": hex::encode(encoded),
        "first_hop": first_hop,
        "unwrapped_hops": data.hops,
        "destination": hex::encode(data.last.destination.as_bytes()),
        "delivered_to_client": hex::encode(&data.last.message),
        "ack_first_hop": ack_first_hop,
        "ack_unwrapped_hops": ack.hops,
        "ack_destination": hex::encode(ack.last.destination.as_bytes()),
        "ack_delivered_to_sender": hex::encode(&ack.last.message),
    });
    Ok(RoundTrip { data, ack, record })
}
