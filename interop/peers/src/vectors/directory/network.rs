//! A small network with nodes of all kinds.

use crate::line::ChaCha20Rng;
use anyhow::Result;
use cosmwasm_std::{Addr, BlockInfo, ContractInfo, Env, Timestamp};
use nym_api_requests::models::described::type_translation::DeclaredRolesV1;
use nym_api_requests::models::{KeyRotationDetails, RewardedSetResponse};
use nym_api_requests::nym_nodes::{BasicEntryInformation, NodeRole, SkimmedNodeV1};
use nym_crypto::asymmetric::{ed25519, x25519};
use nym_mixnet_contract_common::{Interval, KeyRotationState, NodeId};
use serde_json::{json, Value};
use std::time::Duration;
use time::OffsetDateTime;

pub const ROTATIONS: KeyRotationState = KeyRotationState {
    validity_epochs: 10,
    initial_epoch_id: 80,
};
const EPOCH: u32 = 800;
const EPOCH_LENGTH: Duration = Duration::from_secs(3600);
const EPOCH_START: u64 = 1_767_322_800;
const REFRESHED_NANOSECONDS: i128 = 1_767_323_045_678_000_000;

/// A node without its keys.
struct Plan {
    role: NodeRole,
    ip_addresses: &'static [&'static str],
    /// Host name, port for ws, port for wss.
    entry: Option<(Option<&'static str>, u16, Option<u16>)>,
    /// Mix node, entry, exit for requests to the network, exit for IP packets.
    roles: [bool; 4],
    performance: &'static str,
}

/// Node 1 is the first. No role has more than one node: the persisted topology has sets, whose
/// order is random.
const PLANS: [Plan; 10] = [
    Plan {
        role: NodeRole::Mixnode { layer: 1 },
        ip_addresses: &["127.0.0.1"],
        entry: None,
        roles: [true, false, false, false],
        performance: "1",
    },
    Plan {
        role: NodeRole::Mixnode { layer: 2 },
        ip_addresses: &["127.0.0.1", "192.0.2.2"],
        entry: Some((None, 9002, None)),
        roles: [true, true, false, false],
        performance: "0.95",
    },
    Plan {
        role: NodeRole::Mixnode { layer: 3 },
        ip_addresses: &["2001:db8::3", "192.0.2.3"],
        entry: None,
        roles: [true, false, false, false],
        performance: "0.5",
    },
    Plan {
        role: NodeRole::EntryGateway,
        ip_addresses: &["127.0.0.1"],
        entry: Some((None, 9004, None)),
        roles: [false, true, false, false],
        performance: "1",
    },
    Plan {
        role: NodeRole::ExitGateway,
        ip_addresses: &["127.0.0.1"],
        entry: Some((None, 9005, None)),
        roles: [false, true, true, true],
        performance: "0.99",
    },
    Plan {
        role: NodeRole::Standby,
        ip_addresses: &["192.0.2.6", "2001:db8::6", "192.0.2.66"],
        entry: Some((Some("gateway.example.org"), 9000, Some(9001))),
        roles: [true, true, true, false],
        performance: "0.509999999999999999",
    },
    Plan {
        role: NodeRole::Inactive,
        ip_addresses: &["2001:db8:0:0:1::7", "2001:db8::77"],
        entry: Some((None, 65535, Some(443))),
        roles: [false, true, false, true],
        performance: "0.75",
    },
    Plan {
        role: NodeRole::Inactive,
        ip_addresses: &["192.0.2.8"],
        entry: Some((Some("slow.example.org"), 9000, None)),
        roles: [false, true, true, true],
        performance: "0.499",
    },
    Plan {
        role: NodeRole::Inactive,
        ip_addresses: &[],
        entry: Some((Some("nowhere.example.org"), 9000, Some(9001))),
        roles: [false, true, false, false],
        performance: "1",
    },
    Plan {
        role: NodeRole::Inactive,
        ip_addresses: &["192.0.2.10"],
        entry: Some((Some("ten.example.org"), 80, None)),
        roles: [false, false, false, false],
        performance: "0.989999999999999991",
    },
];

/// The network at one moment.
pub struct Network {
    pub refreshed_at: OffsetDateTime,
    pub interval: Interval,
    pub rotation: KeyRotationDetails,
    pub rewarded_set: RewardedSetResponse,
    pub nodes: Vec<Node>,
}

/// A node with its private keys.
pub struct Node {
    pub skimmed: SkimmedNodeV1,
    identity: ed25519::KeyPair,
    sphinx: x25519::KeyPair,
}

impl Network {
    pub fn new(random: &mut ChaCha20Rng) -> Result<Network> {
        let interval = interval();
        let nodes = (1..)
            .zip(&PLANS)
            .map(|(node_id, plan)| plan.node(node_id, random))
            .collect::<Result<Vec<_>>>()?;
        Ok(Network {
            refreshed_at: OffsetDateTime::from_unix_timestamp_nanos(REFRESHED_NANOSECONDS)?,
            rotation: KeyRotationDetails {
                key_rotation_state: ROTATIONS,
                current_absolute_epoch_id: interval.current_epoch_absolute_id(),
                current_epoch_start: interval.current_epoch_start(),
                epoch_duration: interval.epoch_length(),
            },
            interval,
            rewarded_set: RewardedSetResponse {
                epoch_id: EPOCH,
                layer1: vec![1],
                layer2: vec![2],
                layer3: vec![3],
                entry_gateways: vec![4],
                exit_gateways: vec![5],
                standby: vec![6],
            },
            nodes,
        })
    }

    /// The nodes that mix in this epoch, or all others.
    pub fn skimmed(&self, mixing: bool) -> Vec<SkimmedNodeV1> {
        let nodes = self.nodes.iter().map(|node| node.skimmed.clone());
        nodes
            .filter(|node| node.get_mix_layer().is_some() == mixing)
            .collect()
    }

    pub fn private_keys(&self) -> Vec<Value> {
        self.nodes.iter().map(Node::private_keys).collect()
    }
}

impl Node {
    fn private_keys(&self) -> Value {
        json!({
            "node_id": self.skimmed.node_id,
            "ed25519_seed_hex": hex::encode(self.identity.private_key().to_bytes()),
            "ed25519_public_hex": hex::encode(self.identity.public_key().to_bytes()),
            "x25519_private_hex": hex::encode(self.sphinx.private_key().to_bytes()),
            "x25519_public_hex": hex::encode(self.sphinx.public_key().to_bytes()),
        })
    }
}

impl Plan {
    fn node(&self, node_id: NodeId, random: &mut ChaCha20Rng) -> Result<Node> {
        let identity = ed25519::KeyPair::new(random);
        let sphinx = x25519::KeyPair::new(random);
        let [mixnode, entry, exit_nr, exit_ipr] = self.roles;
        let mut ip_addresses = Vec::new();
        for address in self.ip_addresses {
            ip_addresses.push(address.parse()?);
        }
        let skimmed = SkimmedNodeV1 {
            node_id,
            ed25519_identity_pubkey: *identity.public_key(),
            ip_addresses,
            mix_port: 10_000 + node_id as u16,
            x25519_sphinx_pubkey: *sphinx.public_key(),
            role: self.role.clone(),
            supported_roles: DeclaredRolesV1 {
                mixnode,
                entry,
                exit_nr,
                exit_ipr,
            },
            entry: self
                .entry
                .map(|(hostname, ws_port, wss_port)| BasicEntryInformation {
                    hostname: hostname.map(String::from),
                    ws_port,
                    wss_port,
                }),
            performance: self.performance.parse()?,
        };
        Ok(Node {
            skimmed,
            identity,
            sphinx,
        })
    }
}

/// The interval as the contract counts it, epoch by epoch.
fn interval() -> Interval {
    let start = EPOCH_START - u64::from(EPOCH) * EPOCH_LENGTH.as_secs();
    let environment = Env {
        block: BlockInfo {
            height: 1,
            time: Timestamp::from_seconds(start),
            chain_id: String::new(),
        },
        transaction: None,
        contract: ContractInfo {
            address: Addr::unchecked(""),
        },
    };
    let first = Interval::init_interval(720, EPOCH_LENGTH, &environment);
    (0..EPOCH).fold(first, |interval, _| interval.advance_epoch())
}
