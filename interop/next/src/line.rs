//! What the crates of 2.0.0 call otherwise than those of 1.21.6: `../../peers/src/line.rs`, with the
//! same names. What they no longer make, they are not asked for (`OLD_FORMATS`).

mod random;
mod storage;

use anyhow::{anyhow, ensure, Result};
use lioness::KeyInit;
use nym_network_defaults::NymNetworkDetails;
use nym_sphinx::acknowledgements::surb_ack::SurbAck;
use nym_sphinx::acknowledgements::AckKey;
use nym_sphinx::addressing::clients::Recipient;
use nym_sphinx::anonymous_replies::requests::{
    AnonymousSenderTag, RepliableMessage, RepliableMessageContent,
};
use nym_sphinx::anonymous_replies::ReplySurbWithKeyRotation;
use nym_sphinx::cover::generate_loop_cover_packet;
use nym_sphinx::forwarding::packet::MixPacket;
use nym_sphinx::params::{PacketSize, PacketType};
use nym_sphinx::preparer::MessagePreparer;
use nym_sphinx::{Destination, Node, NymPacket};
use nym_topology::{NymRouteProvider, NymTopology};
use serde_json::Value;
use sphinx_packet::constants::{HeaderIntegrityHmacAlgorithm, HEADER_INTEGRITY_MAC_SIZE};
use sphinx_packet::crypto::{compute_keyed_hmac, PrivateKey};
use sphinx_packet::header::delays::Delay;
use sphinx_packet::header::keys::{HeaderIntegrityMacKey, KeyMaterial};
use sphinx_packet::header::mac::HeaderIntegrityMac;
use sphinx_packet::payload::key::PayloadKey;
use sphinx_packet::payload::NymLioness;
use sphinx_packet::version::Version;
use sphinx_packet::{SURBMaterial, SURB};
use std::sync::Arc;
use std::time::Duration;

pub use rand_chacha::ChaCha20Rng;
pub use random::{CryptoRng, Rng, RngCore, SeedableRng};
pub use storage::{
    ClientKeys, CredentialStorage, GatewayRegistration, GatewaysDetailsStore, MixnetClientStorage,
    ReplyStorage, ReplyStorageBackend, StoragePaths,
};

pub const CRATES: &str = "2.0.0";
pub const SPHINX_PACKET: &str = "sphinx-packet 0.8.0";
/// What nym-sphinx asks for; it is not the default of sphinx-packet, which is 260.
pub const SENT_VERSION: Version = sphinx_packet::version::PAYLOAD_KEYS_SEEDS_VERSION;
pub const OLD_FORMATS: bool = false;
pub const LIONESS_DIGEST_SIZE: usize = 32;

pub fn forked(random: &mut ChaCha20Rng) -> Result<ChaCha20Rng> {
    Ok(ChaCha20Rng::from_rng(random))
}

pub fn lioness_encrypt(key: &PayloadKey, block: &mut [u8]) -> Result<()> {
    let encrypted = NymLioness::new(key.into()).encrypt_block(block);
    encrypted.map_err(|error| anyhow!("encrypting {} bytes: {error}", block.len()))
}

pub fn lioness_decrypt(key: &PayloadKey, block: &mut [u8]) -> Result<()> {
    let decrypted = NymLioness::new(key.into()).decrypt_block(block);
    decrypted.map_err(|error| anyhow!("decrypting {} bytes: {error}", block.len()))
}

pub fn header_mac(key: &HeaderIntegrityMacKey, routing: &[u8]) -> Result<(Vec<u8>, bool)> {
    let whole = compute_keyed_hmac::<HeaderIntegrityHmacAlgorithm>(key, routing)?.into_bytes();
    let mut mac = [0; HEADER_INTEGRITY_MAC_SIZE];
    mac.copy_from_slice(&whole[..HEADER_INTEGRITY_MAC_SIZE]);
    let accepted = HeaderIntegrityMac::from_bytes(mac).verify(key, routing)?;
    Ok((whole.to_vec(), accepted))
}

pub fn key_material(_: Version, route: &[Node], initial_secret: &PrivateKey) -> KeyMaterial {
    KeyMaterial::derive(route, initial_secret)
}

pub fn surb_material(
    version: Version,
    route: Vec<Node>,
    delays: Vec<Delay>,
    destination: Destination,
) -> SURBMaterial {
    SURBMaterial::new(route, delays, destination, version)
}

/// There are no others left.
pub fn uses_key_seeds(_: &SURB) -> bool {
    true
}

pub fn build_packet(
    size: usize,
    payload: &[u8],
    route: &[Node],
    destination: &Destination,
    delays: &[Delay],
) -> Result<NymPacket> {
    Ok(NymPacket::sphinx_build(
        size,
        payload,
        route,
        destination,
        delays,
    )?)
}

pub fn preparer(
    random: ChaCha20Rng,
    sender: Recipient,
    average_delay: Duration,
    _: bool,
    without_mix_hops: bool,
) -> MessagePreparer<ChaCha20Rng> {
    MessagePreparer::new(
        random,
        false,
        sender,
        average_delay,
        average_delay,
        without_mix_hops,
    )
}

pub fn reply_surbs(
    preparer: &mut MessagePreparer<ChaCha20Rng>,
    old: bool,
    amount: usize,
    routes: &NymRouteProvider,
) -> Result<Vec<ReplySurbWithKeyRotation>> {
    refuse(old)?;
    Ok(preparer.generate_reply_surbs(amount, routes)?)
}

pub fn repliable_data(
    old: bool,
    content: Vec<u8>,
    tag: AnonymousSenderTag,
    surbs: Vec<ReplySurbWithKeyRotation>,
) -> Result<RepliableMessage> {
    refuse(old)?;
    Ok(RepliableMessage::new_data(content, tag, surbs))
}

pub fn additional_surbs(
    old: bool,
    tag: AnonymousSenderTag,
    surbs: Vec<ReplySurbWithKeyRotation>,
) -> Result<RepliableMessage> {
    refuse(old)?;
    Ok(RepliableMessage::new_additional_surbs(tag, surbs))
}

pub fn surbs_with_data(content: &RepliableMessageContent) -> Option<&[ReplySurbWithKeyRotation]> {
    match content {
        RepliableMessageContent::DataV2(data) => Some(&data.reply_surbs),
        _ => None,
    }
}

#[allow(clippy::too_many_arguments)]
pub fn surb_ack(
    random: &mut ChaCha20Rng,
    old: bool,
    recipient: &Recipient,
    key: &AckKey,
    identifier: [u8; 5],
    average_delay: Duration,
    routes: &NymRouteProvider,
    without_mix_hops: bool,
) -> Result<SurbAck> {
    refuse(old)?;
    Ok(SurbAck::construct(
        random,
        recipient,
        key,
        identifier,
        average_delay,
        routes,
        PacketType::Mix,
        without_mix_hops,
    )?)
}

pub fn cover_packet(
    random: &mut ChaCha20Rng,
    old: bool,
    routes: &NymRouteProvider,
    key: &AckKey,
    address: &Recipient,
    average_delay: Duration,
    size: PacketSize,
) -> Result<MixPacket> {
    refuse(old)?;
    Ok(generate_loop_cover_packet(
        random,
        routes,
        key,
        address,
        average_delay,
        average_delay,
        size,
        PacketType::Mix,
    )?)
}

pub fn routes(topology: NymTopology, ignore_egress_epoch_roles: bool) -> NymRouteProvider {
    NymRouteProvider::new(Arc::new(topology), ignore_egress_epoch_roles)
}

fn refuse(old: bool) -> Result<()> {
    ensure!(!old, "the crates of 2.0.0 do not make this any more");
    Ok(())
}

pub fn nym_api_urls(network: &NymNetworkDetails) -> Value {
    serde_json::json!(network.nym_api_urls())
}
