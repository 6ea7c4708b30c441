//! The nodes of a route, and acks that take such a route back.

use crate::line::{self, ChaCha20Rng, RngCore};
use anyhow::Result;
use nym_crypto::asymmetric::{ed25519, x25519};
use nym_sphinx_acknowledgements::AckKey;
use nym_sphinx_addressing::clients::Recipient;
use nym_sphinx_addressing::nodes::NymNodeRoutingAddress;
use nym_sphinx_types::{Node, NodeAddressBytes, PrivateKey, PublicKey};
use nym_topology::{
    CachedEpochRewardedSet, NodeId, NymTopology, NymTopologyMetadata, RoutingNode, SupportedRoles,
};
use serde_json::{json, Value};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

/// A node, with the private half of its Sphinx key.
pub struct MixNode {
    key: PrivateKey,
    address: SocketAddr,
}

/// Nodes at these addresses.
pub fn nodes(addresses: &[&str], random: &mut ChaCha20Rng) -> Result<Vec<MixNode>> {
    addresses
        .iter()
        .map(|address| {
            let mut key = [0; 32];
            random.fill_bytes(&mut key);
            Ok(MixNode {
                key: PrivateKey::from(key),
                address: address.parse()?,
            })
        })
        .collect()
}

/// The nodes as the file has them.
pub fn describe(nodes: &[MixNode]) -> Result<Vec<Value>> {
    nodes
        .iter()
        .map(|node| {
            let hop = node.hop()?;
            Ok(json!({
                "address": node.address.to_string(),
                "address_field": hex::encode(hop.address.as_bytes()),
                "sphinx_private": hex::encode(node.key.to_bytes()),
                "sphinx_public": hex::encode(hop.pub_key.as_bytes()),
            }))
        })
        .collect()
}

impl MixNode {
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    pub fn hop(&self) -> Result<Node> {
        let address: NodeAddressBytes = NymNodeRoutingAddress::from(self.address).try_into()?;
        Ok(Node::new(address, PublicKey::from(&self.key)))
    }

    fn routing_node(&self, node_id: NodeId, random: &mut ChaCha20Rng) -> RoutingNode {
        RoutingNode {
            node_id,
            mix_host: self.address,
            entry: None,
            identity_key: *ed25519::KeyPair::new(random).public_key(),
            sphinx_key: PublicKey::from(&self.key).into(),
            supported_roles: SupportedRoles {
                mixnode: true,
                mixnet_entry: true,
                mixnet_exit: true,
            },
        }
    }
}

/// An ack that comes back over exactly these nodes, as it is put in front of a message.
///
/// The layers of its topology have one node each, so that the random route is the given one.
pub fn surb_ack(
    nodes: &[MixNode],
    explicit_payload_keys: bool,
    random: &mut ChaCha20Rng,
) -> Result<Vec<u8>> {
    let details: Vec<_> = (1..)
        .zip(nodes)
        .map(|(node_id, node)| node.routing_node(node_id, random))
        .collect();
    let gateway = &details[details.len() - 1];
    let recipient = Recipient::new(
        *ed25519::KeyPair::new(random).public_key(),
        *x25519::KeyPair::new(random).public_key(),
        gateway.identity_key,
    );
    let rewarded_set = CachedEpochRewardedSet {
        layer1: HashSet::from([1]),
        layer2: HashSet::from([2]),
        layer3: HashSet::from([3]),
        exit_gateways: HashSet::from([gateway.node_id]),
        ..Default::default()
    };
    let topology = NymTopology::new(NymTopologyMetadata::default(), rewarded_set, details);
    let ack_key = AckKey::new(random);
    let ack = line::surb_ack(
        random,
        explicit_payload_keys,
        &recipient,
        &ack_key,
        [0, 0, 0, 1, 1],
        Duration::from_millis(50),
        &line::routes(topology, true),
        nodes.len() == 1,
    )?;
    Ok(ack.prepare_for_sending()?.1)
}
