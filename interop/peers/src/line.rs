//! What the crates of 1.21.6 call otherwise than those of 2.0.0. The generator of vectors is written
//! against this module; `../next/src/line.rs` has the same names for the newer crates.

use anyhow::{anyhow, Result};
use lioness::LionessDefault;
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
use sphinx_packet::version::Version;
use sphinx_packet::{SURBMaterial, SURB};
use std::time::Duration;

pub use nym_sdk::mixnet::{
    ClientKeys, CredentialStorage, GatewayRegistration, GatewaysDetailsStore, MixnetClientStorage,
    ReplyStorage, ReplyStorageBackend, StoragePaths,
};
pub use rand::seq::SliceRandom;
pub use rand::{CryptoRng, Rng, RngCore, SeedableRng};
pub use rand_chacha::ChaCha20Rng;

/// The version of the crates.
pub const CRATES: &str = "1.21.6";
/// What the Sphinx packets are made with.
pub const SPHINX_PACKET: &str = "sphinx-packet 0.6.0";
/// The version of what clients send.
pub const SENT_VERSION: Version = sphinx_packet::version::CURRENT_VERSION;
/// Whether the formats before SURBs of the second version can be made: Sphinx packets and SURBs with
/// whole payload keys, the versions before 258, and messages of the first version.
pub const OLD_FORMATS: bool = true;
/// Of the digest in a Lioness cipher, which a payload must be longer than.
pub const LIONESS_DIGEST_SIZE: usize = lioness::DIGEST_RESULT_SIZE;

/// A generator that begins where another one stands.
pub fn forked(random: &mut ChaCha20Rng) -> Result<ChaCha20Rng> {
    Ok(ChaCha20Rng::from_rng(random)?)
}

pub fn lioness_encrypt(key: &PayloadKey, block: &mut [u8]) -> Result<()> {
    let encrypted = LionessDefault::new_raw(key).encrypt(block);
    encrypted.map_err(|error| anyhow!("encrypting {} bytes: {error}", block.len()))
}

pub fn lioness_decrypt(key: &PayloadKey, block: &mut [u8]) -> Result<()> {
    let decrypted = LionessDefault::new_raw(key).decrypt(block);
    decrypted.map_err(|error| anyhow!("decrypting {} bytes: {error}", block.len()))
}

/// The whole MAC of routing information, and whether the crate accepts its beginning.
pub fn header_mac(key: &HeaderIntegrityMacKey, routing: &[u8]) -> Result<(Vec<u8>, bool)> {
    let whole = compute_keyed_hmac::<HeaderIntegrityHmacAlgorithm>(key, routing).into_bytes();
    let mut mac = [0; HEADER_INTEGRITY_MAC_SIZE];
    mac.copy_from_slice(&whole[..HEADER_INTEGRITY_MAC_SIZE]);
    let accepted = HeaderIntegrityMac::from_bytes(mac).verify(key, routing);
    Ok((whole.to_vec(), accepted))
}

/// The secrets of a sender and each hop, derived as the builder does.
#[allow(deprecated)] // For the two deprecated versions there is no other derivation.
pub fn key_material(version: Version, route: &[Node], initial_secret: &PrivateKey) -> KeyMaterial {
    if version.is_legacy() {
        KeyMaterial::derive_legacy(route, initial_secret)
    } else {
        KeyMaterial::derive(route, initial_secret)
    }
}

pub fn surb_material(
    version: Version,
    route: Vec<Node>,
    delays: Vec<Delay>,
    destination: Destination,
) -> SURBMaterial {
    SURBMaterial::new(route, delays, destination).with_version(version)
}

/// Whether a SURB has seeds in the place of whole payload keys.
pub fn uses_key_seeds(surb: &SURB) -> bool {
    surb.uses_key_seeds()
}

pub fn build_packet(
    size: usize,
    payload: &[u8],
    route: &[Node],
    destination: &Destination,
    delays: &[Delay],
) -> Result<NymPacket> {
    Ok(NymPacket::sphinx_build(
        false,
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
    old: bool,
    without_mix_hops: bool,
) -> MessagePreparer<ChaCha20Rng> {
    MessagePreparer::new(
        random,
        false,
        sender,
        average_delay,
        average_delay,
        old,
        without_mix_hops,
    )
}

pub fn reply_surbs(
    preparer: &mut MessagePreparer<ChaCha20Rng>,
    old: bool,
    amount: usize,
    routes: &NymRouteProvider,
) -> Result<Vec<ReplySurbWithKeyRotation>> {
    Ok(preparer.generate_reply_surbs(old, amount, routes)?)
}

pub fn repliable_data(
    old: bool,
    content: Vec<u8>,
    tag: AnonymousSenderTag,
    surbs: Vec<ReplySurbWithKeyRotation>,
) -> Result<RepliableMessage> {
    Ok(RepliableMessage::new_data(old, content, tag, surbs))
}

pub fn additional_surbs(
    old: bool,
    tag: AnonymousSenderTag,
    surbs: Vec<ReplySurbWithKeyRotation>,
) -> Result<RepliableMessage> {
    Ok(RepliableMessage::new_additional_surbs(old, tag, surbs))
}

/// The SURBs of a message with data.
pub fn surbs_with_data(content: &RepliableMessageContent) -> Option<&[ReplySurbWithKeyRotation]> {
    match content {
        RepliableMessageContent::Data(data) => Some(&data.reply_surbs),
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
    Ok(SurbAck::construct(
        random,
        old,
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
    Ok(generate_loop_cover_packet(
        random,
        old,
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
    NymRouteProvider::new(topology, ignore_egress_epoch_roles)
}

/// The APIs of a network, as serde writes them.
pub fn nym_api_urls(network: &NymNetworkDetails) -> Value {
    serde_json::json!(network.nym_api_urls)
}
