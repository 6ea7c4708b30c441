//! A network of nine nodes and two clients, whose private keys stand in the file.

use crate::line::ChaCha20Rng;
use crate::vectors::support::random;
use anyhow::{Context, Result};
use nym_crypto::asymmetric::{ed25519, x25519};
use nym_sphinx::acknowledgements::AckKey;
use nym_sphinx::addressing::clients::Recipient;
use nym_sphinx::addressing::nodes::NymNodeRoutingAddress;
use nym_sphinx::params::SphinxKeyRotation;
use nym_topology::{
    CachedEpochRewardedSet, NodeId, NymRouteProvider, NymTopology, NymTopologyMetadata,
    RoutingNode, SupportedRoles,
};
use serde_json::{json, Map, Value};
use std::net::SocketAddr;
use time::OffsetDateTime;

/// An odd one, so that packets for it are marked 1.
const KEY_ROTATION_ID: u32 = 17;

/// Role and mix address of each node. Its index is its id. Both kinds of addresses occur between
/// mix nodes and at gateways.
const NODES: [(&str, &str); 9] = [
    ("layer1", "10.0.0.1:1789"),
    ("layer1", "10.1.2.2:1790"),
    ("layer2", "10.2.4.3:1791"),
    ("layer2", "[2001:db8::4]:1792"),
    ("layer3", "10.4.8.5:1793"),
    ("layer3", "10.5.10.6:1794"),
    ("gateway", "10.6.12.7:1795"),
    ("gateway", "[2001:db8::8]:1796"),
    ("gateway", "10.8.16.9:1797"),
];

/// A node with its keys.
pub struct Node {
    pub id: NodeId,
    pub sphinx: x25519::KeyPair,
    role: &'static str,
    mix_host: SocketAddr,
    identity: ed25519::PublicKey,
}

impl Node {
    fn make(id: usize, rng: &mut ChaCha20Rng) -> Result<Self> {
        let (role, mix_host) = NODES[id];
        Ok(Node {
            id: NodeId::try_from(id)?,
            sphinx: x25519::KeyPair::new(rng),
            role,
            mix_host: mix_host.parse().with_context(|| mix_host.to_owned())?,
            identity: *ed25519::KeyPair::new(rng).public_key(),
        })
    }

    fn routing(&self) -> RoutingNode {
        RoutingNode {
            node_id: self.id,
            mix_host: self.mix_host,
            entry: None,
            identity_key: self.identity,
            sphinx_key: *self.sphinx.public_key(),
            supported_roles: SupportedRoles {
                mixnode: self.role != "gateway",
                mixnet_entry: self.role == "gateway",
                mixnet_exit: self.role == "gateway",
            },
        }
    }

    fn describe(&self) -> Value {
        json!({
            "node_id": self.id,
            "role": self.role,
            "mix_host": self.mix_host.to_string(),
            "identity_base58": self.identity.to_base58_string(),
            "identity_public": hex::encode(self.identity.to_bytes()),
            "sphinx_private": hex::encode(self.sphinx.private_key().to_bytes()),
            "sphinx_public": hex::encode(self.sphinx.public_key().to_bytes()),
        })
    }
}

/// A client with its keys and its address.
pub struct Client {
    pub name: &'static str,
    pub encryption: x25519::KeyPair,
    pub ack_key: AckKey,
    pub address: Recipient,
    gateway: NodeId,
}

impl Client {
    fn make(name: &'static str, gateway: &Node, rng: &mut ChaCha20Rng) -> Self {
        let identity = ed25519::KeyPair::new(rng);
        let encryption = x25519::KeyPair::new(rng);
        Client {
            name,
            ack_key: AckKey::new(rng),
            address: Recipient::new(
                *identity.public_key(),
                *encryption.public_key(),
                gateway.identity,
            ),
            encryption,
            gateway: gateway.id,
        }
    }

    fn describe(&self) -> Value {
        json!({
            "identity_public": hex::encode(self.address.identity().to_bytes()),
            "encryption_private": hex::encode(self.encryption.private_key().to_bytes()),
            "encryption_public": hex::encode(self.encryption.public_key().to_bytes()),
            "ack_key": hex::encode(self.ack_key.as_bytes()),
            "gateway_node_id": self.gateway,
            "gateway_identity": hex::encode(self.address.gateway().to_bytes()),
            "address": self.address.to_string(),
            "recipient_bytes": hex::encode(self.address.to_bytes()),
        })
    }
}

/// The nodes, the clients, and what chooses routes among the nodes.
pub struct World {
    pub alice: Client,
    pub bob: Client,
    pub routes: NymRouteProvider,
    nodes: Vec<Node>,
}

impl World {
    /// Draw all keys. Bob's gateway has an IPv6 address, Alice's an IPv4 one.
    pub fn make(seed: u64) -> Result<Self> {
        let rng = &mut random(seed, "pipeline world");
        let nodes = (0..NODES.len())
            .map(|id| Node::make(id, rng))
            .collect::<Result<Vec<_>>>()?;
        Ok(World {
            alice: Client::make("alice", &nodes[8], rng),
            bob: Client::make("bob", &nodes[7], rng),
            routes: NymRouteProvider::from(topology_of(&nodes)),
            nodes,
        })
    }

    /// The node that receives packets at this address.
    pub fn node_at(&self, address: SocketAddr) -> Result<&Node> {
        self.nodes
            .iter()
            .find(|node| node.mix_host == address)
            .with_context(|| format!("no node receives packets at {address}"))
    }

    /// The ids of the nodes of a route.
    pub fn ids(&self, route: &[nym_sphinx::Node]) -> Result<Vec<NodeId>> {
        route
            .iter()
            .map(|node| {
                let address = NymNodeRoutingAddress::try_from(node.address)?;
                Ok(self.node_at(address.into())?.id)
            })
            .collect()
    }

    /// The mark of packets that are made now.
    pub fn key_rotation(&self) -> SphinxKeyRotation {
        SphinxKeyRotation::from(self.routes.current_key_rotation())
    }

    /// The section `topology`.
    pub fn topology(&self) -> Value {
        json!({
            "key_rotation_id": self.routes.current_key_rotation(),
            "nodes": self.nodes.iter().map(Node::describe).collect::<Vec<_>>(),
        })
    }

    /// The section `clients`.
    pub fn clients(&self) -> Value {
        [&self.alice, &self.bob]
            .into_iter()
            .map(|client| (client.name.to_owned(), client.describe()))
            .collect::<Map<_, _>>()
            .into()
    }
}

fn topology_of(nodes: &[Node]) -> NymTopology {
    let with_role = |role| {
        nodes
            .iter()
            .filter(|node| node.role == role)
            .map(|node| node.id)
            .collect()
    };
    let roles = CachedEpochRewardedSet {
        layer1: with_role("layer1"),
        layer2: with_role("layer2"),
        layer3: with_role("layer3"),
        exit_gateways: with_role("gateway"),
        ..CachedEpochRewardedSet::default()
    };
    NymTopology::new(
        NymTopologyMetadata::new(KEY_ROTATION_ID, 0, OffsetDateTime::UNIX_EPOCH),
        roles,
        nodes.iter().map(Node::routing).collect(),
    )
}
