//! `nodes.json`: what nodes do, the frames between them and the noise that can go around those.

mod framing;
mod hops;
mod noise;

use super::support::{join, random};
use crate::line::{CRATES, SPHINX_PACKET};
use anyhow::Result;
use serde_json::{json, Value};

/// The whole file.
pub fn make(seed: u64) -> Result<Value> {
    let mut random = random(seed, "nodes");
    let complete_frame = hops::ack_frame(&mut random)?;
    Ok(join([
        json!({
            "description": "Node side: link framing, noise handshake, hop and final-hop processing",
            "source": format!(
                "nym-sphinx-framing, nym-sphinx-params, nym-sphinx-addressing, \
                    nym-sphinx-acknowledgements {CRATES}, {SPHINX_PACKET}; noise: snow 0.9.6 with \
                    the parameters of nym-noise {CRATES} (frame headers written by nym-noise itself)"
            ),
            "crates": CRATES,
            "sizes": framing::sizes(),
            "rotations": framing::rotations(),
            "header_checks": framing::header_checks(&complete_frame)?,
            "hops": hops::make(&mut random)?,
        }),
        json!({"noise": noise::make(&mut random)?}),
    ]))
}
