//! Addresses of clients and nodes, and packets with the address of their next hop
//! (nym-sphinx-addressing, src/clients.rs and src/nodes.rs; nym-sphinx-forwarding, src/packet.rs).

use super::client::{address_at, Client};
use crate::line::ChaCha20Rng;
use anyhow::{Context, Result};
use nym_crypto::asymmetric::{ed25519, x25519};
use nym_sphinx_addressing::clients::Recipient;
use nym_sphinx_addressing::nodes::{NymNodeRoutingAddress, MAX_NODE_ADDRESS_UNPADDED_LEN};
use nym_sphinx_forwarding::packet::MixPacket;
use nym_sphinx_params::{PacketSize, PacketType, SphinxKeyRotation};
use nym_sphinx_types::{Delay, NodeAddressBytes, NymPacket};
use serde_json::{json, Value};
use std::net::SocketAddr;

const NODE_ADDRESSES: [&str; 8] = [
    "1.2.3.4:1789",
    "0.0.0.0:0",
    "127.0.0.1:65535",
    "255.255.255.255:65535",
    "[2001:db8::1]:1789",
    "[::1]:1",
    "[::ffff:1.2.3.4]:1789",
    "[fe80:1:2:3:4:5:6:ffff]:256",
];

/// The field prime of both curves, 2^255 - 19, in little-endian order.
const FIELD_PRIME: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

fn identity(rng: &mut ChaCha20Rng) -> ed25519::PublicKey {
    *ed25519::KeyPair::new(rng).public_key()
}

/// A key whose first byte is zero, which base58 writes as a leading `1`.
fn identity_after_a_zero(rng: &mut ChaCha20Rng) -> ed25519::PublicKey {
    loop {
        let key = identity(rng);
        if key.as_bytes()[0] == 0 {
            return key;
        }
    }
}

/// `recipients`: addresses in all their forms.
pub fn recipients(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let mut recipients = Vec::new();
    for _ in 0..4 {
        let gateway = identity(rng);
        recipients.push(address_at(rng, gateway));
    }
    // Any 32 bytes are an encryption key.
    for start in [0, 0xff] {
        let mut key = [7; 32];
        key[..2].fill(start);
        let key = x25519::PublicKey::from_byte_array(&key);
        recipients.push(Recipient::new(identity(rng), key, identity(rng)));
    }
    recipients.push(Recipient::new(
        identity_after_a_zero(rng),
        x25519::PublicKey::from_byte_array(&[0; 32]),
        identity_after_a_zero(rng),
    ));
    // A point of small order, which some libraries refuse.
    let small_order = ed25519::PublicKey::from_byte_array(&[0; 32])?;
    recipients.push(address_at(rng, small_order));
    Ok(recipients.into_iter().map(recipient).collect())
}

fn recipient(recipient: Recipient) -> Value {
    let destination = recipient.as_sphinx_destination();
    json!({
        "text": recipient.to_string(),
        "bytes": hex::encode(recipient.to_bytes()),
        "identity": hex::encode(recipient.identity().to_bytes()),
        "encryption_key": hex::encode(recipient.encryption_key().to_bytes()),
        "gateway": hex::encode(recipient.gateway().to_bytes()),
        "sphinx_destination_address": hex::encode(destination.address.as_bytes()),
        "sphinx_destination_identifier": hex::encode(destination.identifier),
    })
}

/// `invalid_recipients`: what the parser says of texts that look like addresses.
pub fn invalid_recipients(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let gateway = identity(rng);
    let address = address_at(rng, gateway);
    let text = address.to_string();
    let (client, gateway) = text.split_once('@').context("an address without @")?;
    let (identity, encryption) = client.split_once('.').context("an address without a dot")?;
    let mut texts = misshapen(identity, encryption, gateway);
    for key in unusual_keys()? {
        let key = bs58::encode(key).into_string();
        texts.push(format!("{key}.{encryption}@{gateway}"));
        texts.push(format!("{identity}.{key}@{gateway}"));
        texts.push(format!("{identity}.{encryption}@{key}"));
    }
    let verdict = |text: String| {
        let accepted = Recipient::try_from_base58_string(text.as_str()).is_ok();
        json!({"text": text, "accepted": accepted})
    };
    Ok(texts.into_iter().map(verdict).collect())
}

fn misshapen(identity: &str, encryption: &str, gateway: &str) -> Vec<String> {
    let address = format!("{identity}.{encryption}@{gateway}");
    vec![
        format!("{identity}.{encryption}.{gateway}"),
        format!("{identity}@{encryption}@{gateway}"),
        format!("{identity}{encryption}@{gateway}"),
        format!("{identity}.{encryption}{gateway}"),
        format!("{identity}@{encryption}.{gateway}"),
        format!("{address}@x"),
        format!("{address}.x"),
        format!("{identity}..{encryption}@{gateway}"),
        format!("{identity}.{encryption}@0{gateway}"),
        format!("{identity}.l{encryption}@{gateway}"),
        format!("1{address}"),
        format!("{identity}.1{encryption}@{gateway}"),
        format!("{address}1"),
        format!("{identity}.{encryption}@{}", &gateway[1..]),
        format!("{}.{encryption}@{gateway}", &identity[..identity.len() - 2]),
        format!(" {address}"),
        format!("{address}\n"),
        format!("{identity} .{encryption}@{gateway}"),
        format!("{identity}.é{encryption}@{gateway}"),
        format!(".{encryption}@{gateway}"),
        format!("{identity}.@{gateway}"),
        format!("{identity}.{encryption}@"),
        ".@".into(),
        String::new(),
    ]
}

/// Keys at the edges of what the Ed25519 curve has points for.
fn unusual_keys() -> Result<[[u8; 32]; 4]> {
    let mut negative_zero = of_one_byte(1);
    negative_zero[31] = 0x80;
    Ok([no_point()?, negative_zero, FIELD_PRIME, [0xff; 32]])
}

fn of_one_byte(byte: u8) -> [u8; 32] {
    let mut key = [0; 32];
    key[0] = byte;
    key
}

/// Thirty-two bytes that are no Ed25519 public key.
pub fn no_point() -> Result<[u8; 32]> {
    (2..=u8::MAX)
        .map(of_one_byte)
        .find(|key| ed25519::PublicKey::from_byte_array(key).is_err())
        .context("every small y belongs to a point")
}

/// `node_addresses`: addresses of nodes, bare and padded.
pub fn node_addresses() -> Result<Vec<Value>> {
    NODE_ADDRESSES.into_iter().map(node_address).collect()
}

fn routing_address(text: &str) -> Result<NymNodeRoutingAddress> {
    let address: SocketAddr = text.parse().with_context(|| text.to_owned())?;
    Ok(address.into())
}

fn node_address(text: &str) -> Result<Value> {
    let address = routing_address(text)?;
    let in_header: NodeAddressBytes = address.try_into()?;
    Ok(json!({
        "address": address.to_string(),
        "bytes": hex::encode(address.as_bytes()),
        "padded19": hex::encode(address.as_zero_padded_bytes(MAX_NODE_ADDRESS_UNPADDED_LEN)),
        "padded32": hex::encode(in_header.as_bytes()),
    }))
}

/// `mix_packets`: what stands before the Sphinx packet in both encodings.
pub fn mix_packets(seed: u64) -> Result<Vec<Value>> {
    let client = Client::new(seed, 1, false);
    let rotations = [
        SphinxKeyRotation::Unknown,
        SphinxKeyRotation::OddRotation,
        SphinxKeyRotation::EvenRotation,
    ];
    let sizes = [
        PacketSize::RegularPacket,
        PacketSize::AckPacket,
        PacketSize::ExtendedPacket32,
    ];
    let mut cases = Vec::new();
    for size in sizes {
        let packet = sphinx_packet(&client, size)?;
        for next_hop in ["1.2.3.4:1789", "[2001:db8::1]:1789"] {
            for rotation in rotations {
                cases.push(mix_packet(&packet, routing_address(next_hop)?, rotation)?);
            }
        }
    }
    Ok(cases)
}

fn sphinx_packet(client: &Client, size: PacketSize) -> Result<Vec<u8>> {
    let packet = crate::line::build_packet(
        size.payload_size(),
        b"content",
        &client.direct_route()?,
        &client.address.as_sphinx_destination(),
        &[Delay::new_from_millis(0)],
    )?;
    Ok(packet.to_bytes()?)
}

fn mix_packet(
    packet: &[u8],
    next_hop: NymNodeRoutingAddress,
    rotation: SphinxKeyRotation,
) -> Result<Value> {
    let make = || -> Result<MixPacket> {
        let packet = NymPacket::sphinx_from_bytes(packet)?;
        Ok(MixPacket::new(next_hop, packet, PacketType::Mix, rotation))
    };
    let prefix = |encoded: Vec<u8>| hex::encode(&encoded[..encoded.len() - packet.len()]);
    Ok(json!({
        "next_hop": next_hop.to_string(),
        "key_rotation": rotation as u8,
        "sphinx_packet_len": packet.len(),
        "v1_prefix": prefix(make()?.into_v1_bytes()?),
        "v2_prefix": prefix(make()?.into_v2_bytes()?),
    }))
}
