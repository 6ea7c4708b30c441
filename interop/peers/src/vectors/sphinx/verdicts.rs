//! What a node of sphinx-packet says to packets that are cut, changed or forged.

use super::hops::clear_routing;
use super::kind;
use super::secret::{header_mac, keystream, Expanded};
use super::sender::Sender;
use super::xor;
use crate::line::{self, ChaCha20Rng};
use crate::vectors::support::random;
use anyhow::Result;
use serde_json::{json, Value};
use sphinx_packet::constants::{HEADER_INTEGRITY_MAC_SIZE, SECURITY_PARAMETER};
use sphinx_packet::crypto::PrivateKey;
use sphinx_packet::header::routing::{FINAL_HOP, FORWARD_HOP};
use sphinx_packet::header::{SphinxHeader, HEADER_SIZE};
use sphinx_packet::payload::key::derive_payload_key;
use sphinx_packet::payload::PAYLOAD_OVERHEAD_SIZE;
use sphinx_packet::{ProcessedPacketData, SphinxPacket};

/// The length of the group element at the beginning of a packet.
const ALPHA_SIZE: usize = 32;
/// Where the routing information begins.
const ROUTING: usize = ALPHA_SIZE + HEADER_INTEGRITY_MAC_SIZE;
const PAYLOAD_SIZE: usize = 60;
const MESSAGE_SIZE: usize = 20;

pub fn sections(seed: u64) -> Result<Value> {
    let rng = &mut random(seed, "sphinx verdicts");
    let mut results = cut(rng)?;
    results.extend(changed(rng)?);
    results.extend(final_hop(rng)?);
    results.extend(forged(rng)?);
    Ok(json!({"processing_results": results}))
}

fn draw(rng: &mut ChaCha20Rng, hops: usize) -> Result<(Sender, Vec<u8>)> {
    let sender = Sender::draw(
        rng,
        line::SENT_VERSION.value(),
        hops,
        MESSAGE_SIZE,
        PAYLOAD_SIZE,
    )?;
    let packet = sender.build()?.to_bytes();
    Ok((sender, packet))
}

fn cut(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let (sender, packet) = draw(rng, 4)?;
    let key = &sender.hops[0].private_key;
    let shortest = HEADER_SIZE + PAYLOAD_OVERHEAD_SIZE;
    Ok([
        ("unmodified", "control", packet.len()),
        ("empty", "no bytes at all", 0),
        ("header-only", "a packet without payload", HEADER_SIZE),
        (
            "too-short",
            "364 bytes: one less than header + 17",
            shortest - 1,
        ),
        (
            "payload-17",
            "365 bytes: parses, but Lioness needs more than 32 payload bytes",
            shortest,
        ),
        (
            "payload-32",
            "payload of exactly 32 bytes",
            HEADER_SIZE + line::LIONESS_DIGEST_SIZE,
        ),
        (
            "payload-33",
            "payload of 33 bytes (truncated): forwarding succeeds, payload is not authenticated",
            HEADER_SIZE + line::LIONESS_DIGEST_SIZE + 1,
        ),
    ]
    .map(|(name, description, length)| case(name, description, &packet[..length], key))
    .to_vec())
}

fn changed(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let (sender, packet) = draw(rng, 4)?;
    let key = &sender.hops[0].private_key;
    let mut results = vec![case(
        "wrong-key",
        "processed with another node's key",
        &packet,
        &sender.hops[1].private_key,
    )];
    results.extend(
        [
            ("alpha-bit", "bit flipped in alpha", 5, 0x10),
            (
                "alpha-top-bit",
                "top bit of alpha set: ignored by X25519 and not covered by the MAC",
                ALPHA_SIZE - 1,
                0x80,
            ),
            ("mac-bit", "bit flipped in the MAC", ALPHA_SIZE, 0x01),
            (
                "mac-last-bit",
                "bit flipped in the last byte of the MAC",
                ROUTING - 1,
                0x80,
            ),
            (
                "routing-first-bit",
                "bit flipped in the first routing byte",
                ROUTING,
                0x01,
            ),
            (
                "routing-last-bit",
                "bit flipped in the last routing byte",
                HEADER_SIZE - 1,
                0x80,
            ),
            (
                "payload-bit-forward",
                "bit flipped in the payload: a forward hop cannot notice",
                HEADER_SIZE + 40,
                0x01,
            ),
        ]
        .map(|(name, description, index, mask)| {
            case(name, description, &flipped(&packet, index, mask), key)
        }),
    );
    Ok(results)
}

fn final_hop(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let (sender, packet) = draw(rng, 1)?;
    let key = &sender.hops[0].private_key;
    Ok(vec![
        case("one-hop-control", "control, one hop", &packet, key),
        case(
            "payload-bit-final",
            "bit flipped in the payload: noticed only when the plaintext is recovered",
            &flipped(&packet, HEADER_SIZE + 40, 0x01),
            key,
        ),
        case(
            "payload-cut-final",
            "payload cut by a byte: noticed only when the plaintext is recovered",
            &packet[..packet.len() - 1],
            key,
        ),
    ])
}

/// A packet for its last hop, with routing information in the clear, to forge others from.
struct Mould {
    key: PrivateKey,
    alpha: [u8; ALPHA_SIZE],
    clear: Vec<u8>,
}

impl Mould {
    fn draw(rng: &mut ChaCha20Rng) -> Result<Self> {
        let (mut sender, packet) = draw(rng, 1)?;
        let key = sender.hops.remove(0).private_key;
        let header = SphinxHeader::from_bytes(&packet[..HEADER_SIZE])?;
        let expanded = Expanded::of(&header.compute_expanded_shared_secret(&key))?;
        Ok(Self {
            alpha: header.shared_secret.to_bytes(),
            clear: clear_routing(&header, &expanded),
            key,
        })
    }

    /// The packet with this flag and this payload before its encryption, and with a right MAC.
    fn cast(&self, alpha: [u8; ALPHA_SIZE], flag: u8, mut payload: Vec<u8>) -> Result<Vec<u8>> {
        let mut header = [0; HEADER_SIZE];
        header[..ALPHA_SIZE].copy_from_slice(&alpha);
        let secret = SphinxHeader::from_bytes(&header)?.compute_expanded_shared_secret(&self.key);
        let expanded = Expanded::of(&secret)?;
        let mut clear = self.clear.clone();
        clear[0] = flag;
        let routing = xor(&clear, &keystream(&expanded.stream_key()));
        header[ALPHA_SIZE..ROUTING].copy_from_slice(&header_mac(&expanded.mac_key(), &routing)?);
        header[ROUTING..].copy_from_slice(&routing);
        let key = derive_payload_key(&expanded.payload_key_seed());
        line::lioness_encrypt(&key, &mut payload)?;
        Ok([header.to_vec(), payload].concat())
    }
}

fn forged(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let mould = Mould::draw(rng)?;
    let mut results = Vec::new();
    for (name, description, flag) in [
        ("flag-0", "routing flag 0", 0),
        ("flag-3", "routing flag 3", 3),
        ("flag-255", "routing flag 255", u8::MAX),
        (
            "flag-1",
            "the destination read as the address of a next hop",
            FORWARD_HOP,
        ),
        ("forged-final", "control: forged final hop", FINAL_HOP),
    ] {
        let packet = mould.cast(mould.alpha, flag, padded(b"hello\x01"))?;
        results.push(case(name, description, &packet, &mould.key));
    }
    for (name, description, payload) in payloads() {
        let packet = mould.cast(mould.alpha, FINAL_HOP, payload)?;
        results.push(case(name, description, &packet, &mould.key));
    }
    let packet = mould.cast([0; ALPHA_SIZE], FINAL_HOP, padded(b"hello\x01"))?;
    results.push(case(
        "alpha-small-order",
        "alpha of small order with a MAC under the all-zero secret: accepted",
        &packet,
        &mould.key,
    ));
    Ok(results)
}

/// Payloads for the last hop as its own layer hides them.
fn payloads() -> [(&'static str, &'static str, Vec<u8>); 7] {
    let late = [b"hello\x01".as_slice(), &[0; 18], &[1]].concat();
    let hello = padded(b"hello\x01");
    [
        (
            "no-marker",
            "final payload without a 01 marker",
            padded(b"hello"),
        ),
        (
            "marker-at-once",
            "final payload with nothing before the 01 marker",
            padded(&[1]),
        ),
        (
            "bad-leading",
            "final payload whose leading zero block is damaged",
            flipped(&hello, 0, 0x80),
        ),
        (
            "bad-leading-end",
            "final payload whose leading zero block ends in 01",
            flipped(&hello, SECURITY_PARAMETER - 1, 0x01),
        ),
        (
            "garbage-tail",
            "non-zero bytes other than 01 after the marker are ignored: everything after the LAST \
             01 is dropped",
            padded(b"hello\x01\x02\xff\x00\x80"),
        ),
        (
            "later-marker",
            "a later 01 byte wins: the plaintext then includes the earlier marker and zeros",
            padded(&late),
        ),
        (
            "marker-at-end",
            "a 01 as the last byte of the payload",
            flipped(&hello, PAYLOAD_SIZE - 1, 0x01),
        ),
    ]
}

/// The leading zeros, what is given, and zeros up to the payload size.
fn padded(content: &[u8]) -> Vec<u8> {
    let mut payload = vec![0; PAYLOAD_SIZE];
    payload[SECURITY_PARAMETER..SECURITY_PARAMETER + content.len()].copy_from_slice(content);
    payload
}

fn flipped(data: &[u8], index: usize, mask: u8) -> Vec<u8> {
    let mut data = data.to_vec();
    data[index] ^= mask;
    data
}

fn case(name: &str, description: &str, packet: &[u8], key: &PrivateKey) -> Value {
    let result = match process(packet, key) {
        Ok(None) => json!({"stage": "ok-forward", "error": null}),
        Ok(Some(plaintext)) => json!({
            "stage": "ok-final",
            "error": null,
            "plaintext": hex::encode(plaintext),
        }),
        Err((stage, error)) => json!({"stage": stage, "error": kind(&error)}),
    };
    json!({
        "name": name,
        "description": description,
        "packet": hex::encode(packet),
        "private_key": hex::encode(key.to_bytes()),
        "result": result,
    })
}

/// The plaintext if the packet ends here; or else the stage at which it was refused.
fn process(
    packet: &[u8],
    key: &PrivateKey,
) -> Result<Option<Vec<u8>>, (&'static str, sphinx_packet::Error)> {
    let packet = SphinxPacket::from_bytes(packet).map_err(|error| ("parse", error))?;
    let processed = packet.process(key).map_err(|error| ("process", error))?;
    match processed.data {
        ProcessedPacketData::ForwardHop { .. } => Ok(None),
        ProcessedPacketData::FinalHop { payload, .. } => payload
            .recover_plaintext()
            .map(Some)
            .map_err(|error| ("recover", error)),
    }
}
