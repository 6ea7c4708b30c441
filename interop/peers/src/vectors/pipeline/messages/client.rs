//! A client in a small network, for the reply SURBs that messages carry.

use crate::line::{self, ChaCha20Rng, CryptoRng, Rng};
use crate::vectors::support::random;
use anyhow::Result;
use nym_crypto::asymmetric::{ed25519, x25519};
use nym_sphinx::preparer::MessagePreparer;
use nym_sphinx_addressing::clients::Recipient;
use nym_sphinx_anonymous_replies::ReplySurbWithKeyRotation;
use nym_sphinx_types::Node;
use nym_topology::{
    CachedEpochRewardedSet, NymRouteProvider, NymTopology, NymTopologyMetadata, RoutingNode,
    SupportedRoles,
};
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use time::OffsetDateTime;

const GATEWAY_ID: u32 = 4;
const AVERAGE_DELAY: Duration = Duration::from_millis(15);

/// A client as nym-sphinx knows it: an address, and what makes its packets.
pub struct Client {
    pub address: Recipient,
    preparer: MessagePreparer<ChaCha20Rng>,
    network: NymRouteProvider,
}

impl Client {
    /// A client of its own network, whose key rotation has this id. Without mix hops its SURBs
    /// lead straight to its gateway.
    pub fn new(seed: u64, key_rotation_id: u32, without_mix_hops: bool) -> Self {
        let purpose = format!("pipeline: client {key_rotation_id} {without_mix_hops}");
        let mut rng = random(seed, &purpose);
        let nodes: Vec<_> = (1..=GATEWAY_ID).map(|id| node(&mut rng, id)).collect();
        let gateway = nodes[nodes.len() - 1].identity_key;
        let address = address_at(&mut rng, gateway);
        Client {
            address,
            preparer: line::preparer(rng, address, AVERAGE_DELAY, false, without_mix_hops),
            network: network(nodes, key_rotation_id),
        }
    }

    /// Fresh reply SURBs; in the old format they have four hops with whole payload keys.
    pub fn surbs(
        &mut self,
        old_format: bool,
        amount: usize,
    ) -> Result<Vec<ReplySurbWithKeyRotation>> {
        line::reply_surbs(&mut self.preparer, old_format, amount, &self.network)
    }

    /// The route of a packet to this client that skips the mixes.
    pub fn direct_route(&self) -> Result<Vec<Node>> {
        Ok(self.network.empty_route_to_egress(self.address.gateway())?)
    }
}

/// An address with fresh keys, at a gateway with this identity.
pub fn address_at<R: Rng + CryptoRng>(rng: &mut R, gateway: ed25519::PublicKey) -> Recipient {
    Recipient::new(
        *ed25519::KeyPair::new(rng).public_key(),
        *x25519::KeyPair::new(rng).public_key(),
        gateway,
    )
}

fn node<R: Rng + CryptoRng>(rng: &mut R, node_id: u32) -> RoutingNode {
    RoutingNode {
        node_id,
        mix_host: SocketAddr::from((Ipv4Addr::from(rng.gen::<u32>()), 1789)),
        entry: None,
        identity_key: *ed25519::KeyPair::new(rng).public_key(),
        sphinx_key: *x25519::KeyPair::new(rng).public_key(),
        supported_roles: SupportedRoles {
            mixnode: node_id != GATEWAY_ID,
            mixnet_entry: node_id == GATEWAY_ID,
            mixnet_exit: node_id == GATEWAY_ID,
        },
    }
}

fn network(nodes: Vec<RoutingNode>, key_rotation_id: u32) -> NymRouteProvider {
    let metadata = NymTopologyMetadata::new(key_rotation_id, 0, OffsetDateTime::UNIX_EPOCH);
    let roles = CachedEpochRewardedSet {
        layer1: HashSet::from([1]),
        layer2: HashSet::from([2]),
        layer3: HashSet::from([3]),
        entry_gateways: HashSet::from([GATEWAY_ID]),
        ..Default::default()
    };
    NymTopology::new(metadata, roles, nodes).into()
}
