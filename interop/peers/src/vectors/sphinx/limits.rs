//! The lengths that sphinx-packet accepts for payloads and SURBs.

use super::kind;
use super::sender::Sender;
use crate::line::{self, ChaCha20Rng};
use crate::vectors::support::random;
use anyhow::Result;
use serde_json::{json, Value};
use sphinx_packet::constants::NODE_ADDRESS_LENGTH;
use sphinx_packet::header::HEADER_SIZE;
use sphinx_packet::SURB;

/// Name, payload size and message length.
const BUILDS: [(&str, usize, usize); 11] = [
    ("payload-0", 0, 0),
    ("payload-16", 16, 0),
    ("payload-17", 17, 0),
    ("payload-31", 31, 0),
    ("payload-32", 32, 0),
    ("payload-33", 33, 16),
    ("message-too-long", 60, 44),
    ("message-max", 60, 43),
    ("message-longer-than-payload", 60, 61),
    ("regular-too-long", 2065, 2049),
    ("regular-max", 2065, 2048),
];

/// How many bytes follow a SURB's header and first hop. Seeds have 16 bytes each, keys 192.
const KEY_MATERIAL: [usize; 19] = [
    0, 1, 15, 16, 17, 32, 64, 80, 96, 175, 176, 191, 192, 193, 208, 383, 384, 768, 960,
];

pub fn sections(seed: u64) -> Result<Value> {
    let rng = &mut random(seed, "sphinx limits");
    let builds = BUILDS
        .into_iter()
        .map(|case| build(rng, case))
        .collect::<Result<Vec<_>>>()?;
    Ok(json!({
        "build_errors": builds,
        "surb_parse": KEY_MATERIAL.map(parse).to_vec(),
    }))
}

fn build(
    rng: &mut ChaCha20Rng,
    (name, payload_size, message_len): (&str, usize, usize),
) -> Result<Value> {
    let sender = Sender::draw(
        rng,
        line::SENT_VERSION.value(),
        1,
        message_len,
        payload_size,
    )?;
    Ok(json!({
        "name": name,
        "payload_size": payload_size,
        "message_len": message_len,
        "error": sender.build().err().map(|error| kind(&error)),
    }))
}

/// Parse a SURB of zeros: what it contains is looked at by nobody but the nodes.
fn parse(key_material_len: usize) -> Value {
    let zeros = vec![0; HEADER_SIZE + NODE_ADDRESS_LENGTH + key_material_len];
    match SURB::from_bytes(&zeros) {
        Ok(surb) => json!({
            "key_material_len": key_material_len,
            "error": null,
            "materials_count": surb.materials_count(),
            "uses_key_seeds": line::uses_key_seeds(&surb),
        }),
        Err(error) => json!({"key_material_len": key_material_len, "error": kind(&error)}),
    }
}
