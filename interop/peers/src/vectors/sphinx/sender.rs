//! What a sender chooses for a packet or a SURB.

use super::{array, bytes};
use crate::line::{ChaCha20Rng, Rng};
use anyhow::{Context, Result};
use curve25519_dalek::{constants::EIGHT_TORSION, EdwardsPoint};
use nym_sphinx_addressing::nodes::NymNodeRoutingAddress;
use serde_json::{json, Value};
use sphinx_packet::crypto::{PrivateKey, PublicKey};
use sphinx_packet::header::delays::Delay;
use sphinx_packet::route::{Destination, DestinationAddressBytes, Node, NodeAddressBytes};
use sphinx_packet::version::Version;
use sphinx_packet::{SphinxPacket, SphinxPacketBuilder};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Delays are drawn below this: 0.2 s, a few times the mean that clients use.
const DELAY_LIMIT: u64 = 200_000_000;

/// A node of a route, and the private key it takes packets apart with.
pub struct Hop {
    pub private_key: PrivateKey,
    pub node: Node,
}

impl Hop {
    /// A node at an IPv4 address if `index` is even, else at an IPv6 address.
    fn draw(rng: &mut ChaCha20Rng, index: usize) -> Result<Self> {
        let private_key = PrivateKey::from(array(rng));
        let port = rng.gen();
        let address = if index % 2 == 0 {
            SocketAddr::from((Ipv4Addr::from(array::<4>(rng)), port))
        } else {
            SocketAddr::from((Ipv6Addr::from(array::<16>(rng)), port))
        };
        let address: NodeAddressBytes = NymNodeRoutingAddress::from(address)
            .try_into()
            .ok()
            .context("a socket address does not fit the address of a node")?;
        let node = Node::new(address, PublicKey::from(&private_key));
        Ok(Self { private_key, node })
    }

    /// Give the public key a part of order eight. Clamped scalars, multiples of eight, undo it, so
    /// that the node still reads its packets.
    pub fn add_small_order_part(&mut self) {
        let point = EdwardsPoint::mul_base_clamped(self.private_key.to_bytes()) + EIGHT_TORSION[1];
        self.node.pub_key = PublicKey::from(point.to_montgomery().to_bytes());
    }
}

/// Everything that decides the bytes of a packet or a SURB, apart from the last hop's padding.
pub struct Sender {
    pub version: Version,
    pub initial_secret: PrivateKey,
    pub hops: Vec<Hop>,
    pub delays: Vec<Delay>,
    pub destination: Destination,
    pub message: Vec<u8>,
    pub payload_size: usize,
}

impl Sender {
    /// A sender of a random message over a route of `hops` nodes.
    pub fn draw(
        rng: &mut ChaCha20Rng,
        version: u16,
        hops: usize,
        message: usize,
        payload_size: usize,
    ) -> Result<Self> {
        Ok(Self {
            version: Version::new(version),
            initial_secret: PrivateKey::from(array(rng)),
            hops: (0..hops)
                .map(|index| Hop::draw(rng, index))
                .collect::<Result<_>>()?,
            delays: (0..hops)
                .map(|_| Delay::new_from_nanos(rng.gen_range(0..DELAY_LIMIT)))
                .collect(),
            destination: Destination::new(
                DestinationAddressBytes::from_bytes(array(rng)),
                array(rng),
            ),
            message: bytes(rng, message),
            payload_size,
        })
    }

    pub fn route(&self) -> Vec<Node> {
        self.hops.iter().map(|hop| hop.node.clone()).collect()
    }

    pub fn build(&self) -> sphinx_packet::Result<SphinxPacket> {
        SphinxPacketBuilder::new()
            .with_version(self.version)
            .with_payload_size(self.payload_size)
            .with_initial_secret(&self.initial_secret)
            .build_packet(
                &self.message,
                &self.route(),
                &self.destination,
                &self.delays,
            )
    }

    /// The fields that packets and SURBs have in common.
    pub fn fields(&self) -> Value {
        let route: Vec<_> = self
            .hops
            .iter()
            .map(|hop| {
                json!({
                    "address": hex::encode(hop.node.address.to_bytes()),
                    "private_key": hex::encode(hop.private_key.to_bytes()),
                    "public_key": hex::encode(hop.node.pub_key.to_bytes()),
                })
            })
            .collect();
        let delays: Vec<_> = self
            .delays
            .iter()
            .map(|delay| delay.to_nanos().to_string())
            .collect();
        json!({
            "version": self.version.value(),
            "payload_size": self.payload_size,
            "initial_secret": hex::encode(self.initial_secret.to_bytes()),
            "route": route,
            "delays_ns": delays,
            "destination": hex::encode(self.destination.address.as_bytes()),
            "identifier": hex::encode(self.destination.identifier),
            "message": hex::encode(&self.message),
        })
    }
}
