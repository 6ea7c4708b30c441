//! Sphinx packets for clients to hand to a gateway.

use crate::line::{ChaCha20Rng, Rng};
use anyhow::{Context, Result};
use nym_crypto::asymmetric::x25519;
use nym_sphinx_addressing::nodes::NymNodeRoutingAddress;
use nym_sphinx_forwarding::packet::MixPacket;
use nym_sphinx_params::{PacketSize, PacketType, SphinxKeyRotation};
use nym_sphinx_types::{delays, Destination, DestinationAddressBytes, Node, NodeAddressBytes};
use std::net::SocketAddr;
use std::time::Duration;

/// A packet with a message and keys that nobody knows; its way starts at `next_hop`.
pub fn packet(
    next_hop: &str,
    size: PacketSize,
    rotation: SphinxKeyRotation,
    random: &mut ChaCha20Rng,
) -> Result<MixPacket> {
    let address: SocketAddr = next_hop.parse().context(next_hop.to_owned())?;
    let message: Vec<u8> = (0..size.plaintext_size()).map(|_| random.gen()).collect();
    let route: Vec<Node> = (0..3)
        .map(|_| {
            let address = NodeAddressBytes::from_bytes(random.gen());
            let key = x25519::KeyPair::new(random);
            Node::new(address, key.public_key().inner())
        })
        .collect();
    let destination = DestinationAddressBytes::from_bytes(random.gen());
    let packet = crate::line::build_packet(
        size.payload_size(),
        &message,
        &route,
        &Destination::new(destination, random.gen()),
        &delays::generate_from_average_duration(route.len(), Duration::from_millis(50)),
    )?;
    let next_hop = NymNodeRoutingAddress::from(address);
    Ok(MixPacket::new(next_hop, packet, PacketType::Mix, rotation))
}
