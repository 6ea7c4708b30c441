//! pipeline.json: what lies above Sphinx, from addresses to cover packets.

mod messages;
mod packets;

use super::support::join;
use crate::line::{CRATES, SPHINX_PACKET};
use anyhow::Result;
use serde_json::{json, Value};

/// Make the file.
pub fn make(seed: u64) -> Result<Value> {
    let about = json!({
        "description": "Message pipeline above Sphinx: addressing, sizes, message kinds, padding, \
            chunking, payload encryption, SURB-acks, reply SURBs, MixPacket, cover packets. All \
            byte strings are lowercase hex. `pattern(len,a,b)` messages: byte i = \
            (a*i + b + i//256) mod 256.",
        "source": format!(
            "nym-sphinx and its nym-sphinx-* sub-crates, nym-topology, nym-crypto {CRATES}, \
                {SPHINX_PACKET}"
        ),
        "crates": CRATES,
    });
    Ok(join([
        about,
        messages::sections(seed)?,
        packets::sections(seed)?,
    ]))
}
