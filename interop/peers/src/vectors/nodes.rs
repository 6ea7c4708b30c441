//! `nodes.json`: what nodes do, the frames between them and the noise that can go around those.

mod framing;
mod hops;
mod noise;

use super::support::{join, random};
use anyhow::Result;
use serde_json::{json, Value};

/// The whole file.
pub fn make(seed: u64) -> Result<Value> {
    let mut random = random(seed, "nodes");
    let complete_frame = hops::ack_frame(&mut random)?;
    Ok(join([
        json!({
            "description": "Node side: link framing, noise handshake, hop and final-hop processing",
            "source": "nym-sphinx-framing 1.21.6, nym-sphinx-params 1.21.6, nym-sphinx-addressing \
                1.21.6, nym-sphinx-acknowledgements 1.21.6, sphinx-packet 0.6.0; noise: snow 0.9.6 \
                with the parameters of nym-noise 1.21.6 (frame headers written by nym-noise itself)",
            "sizes": framing::sizes(),
            "rotations": framing::rotations(),
            "header_checks": framing::header_checks(&complete_frame)?,
            "hops": hops::make(&mut random)?,
        }),
        json!({"noise": noise::make(&mut random)?}),
    ]))
}
