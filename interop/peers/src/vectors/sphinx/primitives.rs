//! The constants of sphinx-packet, and the functions that packets are made of.

use super::secret::{header_mac, keystream, Expanded};
use super::{array, bytes};
use crate::line::{self, ChaCha20Rng};
use crate::vectors::support::random;
use anyhow::Result;
use serde_json::{json, Value};
use sphinx_packet::constants;
use sphinx_packet::crypto::{PrivateKey, PublicKey};
use sphinx_packet::header::routing::ENCRYPTED_ROUTING_INFO_SIZE;
use sphinx_packet::header::{SphinxHeader, HEADER_SIZE};
use sphinx_packet::payload::key::{derive_payload_key, PayloadKey};
use sphinx_packet::payload::PAYLOAD_OVERHEAD_SIZE;

/// 2^255 - 17, little-endian: a second encoding of the coordinate 2, because it is not reduced.
const TWO_NOT_REDUCED: [u8; 32] = {
    let mut alpha = [0xff; 32];
    alpha[0] = 0xef;
    alpha[31] = 0x7f;
    alpha
};

pub fn sections(seed: u64) -> Result<Value> {
    let rng = &mut random(seed, "sphinx primitives");
    let lioness = [33, 38, 64, 100, 2065, 8209]
        .into_iter()
        .map(|length| lioness(rng, length))
        .collect::<Result<Vec<_>>>()?;
    let streams: Vec<_> = (0..3).map(|_| stream(rng)).collect();
    let macs = (0..3).map(|_| mac(rng)).collect::<Result<Vec<_>>>()?;
    let payload_keys: Vec<_> = (0..3).map(|_| payload_key(rng)).collect();
    Ok(json!({
        "constants": sizes(),
        "lioness": lioness,
        "keystream": streams,
        "header_mac": macs,
        "payload_key_derivation": payload_keys,
        "shared_secret_expansion": expansions(rng)?,
    }))
}

fn sizes() -> Value {
    json!({
        "HEADER_SIZE": HEADER_SIZE,
        "PAYLOAD_OVERHEAD_SIZE": PAYLOAD_OVERHEAD_SIZE,
        "MAX_PATH_LENGTH": constants::MAX_PATH_LENGTH,
        "NODE_META_INFO_SIZE": constants::NODE_META_INFO_SIZE,
        "FINAL_NODE_META_INFO_LENGTH": constants::FINAL_NODE_META_INFO_LENGTH,
        "STREAM_CIPHER_OUTPUT_LENGTH": constants::STREAM_CIPHER_OUTPUT_LENGTH,
        "EXPANDED_SHARED_SECRET_LENGTH": constants::EXPANDED_SHARED_SECRET_LENGTH,
        "PAYLOAD_KEY_SIZE": constants::PAYLOAD_KEY_SIZE,
        "PAYLOAD_KEY_SEED_SIZE": constants::PAYLOAD_KEY_SEED_SIZE,
        "REPLAY_TAG_SIZE": constants::REPLAY_TAG_SIZE,
        "hkdf_info_expand": hex::encode(constants::EXPANDED_SHARED_SECRET_HKDF_INFO),
        "hkdf_salt_expand": hex::encode(constants::EXPANDED_SHARED_SECRET_HKDF_SALT),
        "hkdf_info_payload_key": hex::encode(constants::PAYLOAD_KEY_HKDF_INFO),
        "hkdf_salt_payload_key": hex::encode(constants::PAYLOAD_KEY_HKDF_SALT),
    })
}

fn lioness(rng: &mut ChaCha20Rng, length: usize) -> Result<Value> {
    let key: PayloadKey = array(rng);
    let input = bytes(rng, length);
    let (mut encrypted, mut decrypted) = (input.clone(), input.clone());
    line::lioness_encrypt(&key, &mut encrypted)?;
    line::lioness_decrypt(&key, &mut decrypted)?;
    Ok(json!({
        "key": hex::encode(key),
        "input": hex::encode(input),
        "encrypted": hex::encode(encrypted),
        "decrypted_of_input": hex::encode(decrypted),
    }))
}

fn stream(rng: &mut ChaCha20Rng) -> Value {
    let key = array(rng);
    json!({"key": hex::encode(key), "keystream_360": hex::encode(keystream(&key))})
}

fn mac(rng: &mut ChaCha20Rng) -> Result<Value> {
    let key = array(rng);
    let data = bytes(rng, ENCRYPTED_ROUTING_INFO_SIZE);
    Ok(json!({
        "key": hex::encode(key),
        "data": hex::encode(&data),
        "mac_16": hex::encode(header_mac(&key, &data)?),
    }))
}

fn payload_key(rng: &mut ChaCha20Rng) -> Value {
    let seed = array(rng);
    json!({
        "seed": hex::encode(seed),
        "payload_key": hex::encode(derive_payload_key(&seed)),
    })
}

fn public_key(rng: &mut ChaCha20Rng) -> [u8; 32] {
    PublicKey::from(&PrivateKey::from(array(rng))).to_bytes()
}

fn expansions(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let ordinary = public_key(rng);
    let mut top_bit = public_key(rng);
    top_bit[31] |= 0x80;
    let mut one = [0; 32];
    one[0] = 1;
    [
        ("ordinary", ordinary),
        ("another private key, same alpha", ordinary),
        ("top bit of alpha set; it is ignored", top_bit),
        (
            "alpha that is not reduced: as the reduced one",
            TWO_NOT_REDUCED,
        ),
        (
            "alpha of small order: accepted, shared secret is all zero (no contributory check)",
            [0; 32],
        ),
        ("another alpha of small order", one),
    ]
    .into_iter()
    .map(|(note, alpha)| expansion(note, array(rng), alpha))
    .collect()
}

/// What a node derives from the first bytes of a header; the rest of it plays no part.
fn expansion(note: &str, private_key: [u8; 32], alpha: [u8; 32]) -> Result<Value> {
    let mut header = [0; HEADER_SIZE];
    header[..alpha.len()].copy_from_slice(&alpha);
    let header = SphinxHeader::from_bytes(&header)?;
    let node = PrivateKey::from(private_key);
    let expanded = Expanded::of(&header.compute_expanded_shared_secret(&node))?;
    Ok(json!({
        "note": note,
        "private_key": hex::encode(private_key),
        "alpha": hex::encode(alpha),
        "shared_secret": hex::encode(node.diffie_hellman(&header.shared_secret).as_bytes()),
        "expanded_secret": hex::encode(expanded.bytes()),
        "stream_cipher_key": hex::encode(expanded.stream_key()),
        "mac_key": hex::encode(expanded.mac_key()),
        "explicit_payload_key": hex::encode(expanded.explicit_payload_key()),
        "payload_key_seed": hex::encode(expanded.payload_key_seed()),
        "blinding_factor": hex::encode(expanded.blinding_factor()),
        "replay_tag": hex::encode(expanded.replay_tag()),
    }))
}
