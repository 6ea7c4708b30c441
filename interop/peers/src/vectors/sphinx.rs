//! sphinx.json: Sphinx packets and SURBs of sphinx-packet, and the primitives below them.

mod hops;
mod limits;
mod packets;
mod primitives;
mod secret;
mod sender;
mod verdicts;

use super::support::join;
use crate::line::{ChaCha20Rng, RngCore, CRATES, SPHINX_PACKET};
use anyhow::Result;
use serde_json::{json, Value};

/// Make the file.
pub fn make(seed: u64) -> Result<Value> {
    let about = json!({
        "description": "Sphinx packet vectors. All byte strings are lower-case hex; 64-bit delays \
            are decimal strings of nanoseconds. final_padding is the random padding the builder \
            drew for the last hop; feeding it back makes the build deterministic.",
        "source": format!(
            "{SPHINX_PACKET}, nym-sphinx-addressing, nym-sphinx-params {CRATES}"
        ),
        "crates": CRATES,
        "set": "public",
    });
    Ok(join([
        about,
        primitives::sections(seed)?,
        packets::sections(seed)?,
        verdicts::sections(seed)?,
        limits::sections(seed)?,
    ]))
}

/// As many bytes as the type that is asked for has.
fn array<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut drawn = [0; N];
    rng.fill_bytes(&mut drawn);
    drawn
}

fn bytes(rng: &mut ChaCha20Rng, length: usize) -> Vec<u8> {
    let mut drawn = vec![0; length];
    rng.fill_bytes(&mut drawn);
    drawn
}

/// What two byte strings differ by, as far as the shorter one goes.
fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(a, b)| a ^ b).collect()
}

/// The crate's name for what went wrong.
fn kind(error: &sphinx_packet::Error) -> String {
    format!("{:?}", error.kind())
}
