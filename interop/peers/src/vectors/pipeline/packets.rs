//! The sections of pipeline.json about packets: acks, reply SURBs, encryption, and whole packets
//! carried through a small network.

mod acks;
mod journey;
mod payloads;
mod replies;
mod whole;
mod world;

use crate::line;
use anyhow::{Context, Result};
use nym_sphinx::acknowledgements::surb_ack::SurbAck;
use nym_sphinx::params::PacketType;
use serde_json::{json, Value};
use std::time::Duration;
use world::World;

/// The average delay at a node. What it is does not matter to the formats.
const AVERAGE_DELAY: Duration = Duration::from_millis(20);

/// How a packet is made: with full payload keys (version 258) or with seeds, and through how many
/// nodes.
#[derive(Clone, Copy)]
struct Form {
    legacy: bool,
    without_mix_hops: bool,
}

impl Form {
    const CURRENT: Form = Form {
        legacy: false,
        without_mix_hops: false,
    };
    const LEGACY: Form = Form {
        legacy: true,
        ..Form::CURRENT
    };
    const WITHOUT_MIX_HOPS: Form = Form {
        without_mix_hops: true,
        ..Form::CURRENT
    };

    /// Whether the crates still make it.
    fn is_made(self) -> bool {
        line::OLD_FORMATS || !self.legacy
    }
}

/// Make these sections.
pub fn sections(seed: u64) -> Result<Value> {
    let world = World::make(seed).context("making the network and its clients")?;
    Ok(json!({
        "topology": world.topology(),
        "clients": world.clients(),
        "surb_ack_len": SurbAck::len(Some(PacketType::Mix)),
        "ack_identifiers": acks::identifiers(seed, &world).context("ack_identifiers")?,
        "surb_acks": acks::surb_acks(seed, &world).context("surb_acks")?,
        "regular_payloads": payloads::regular(seed, &world).context("regular_payloads")?,
        "reply_surbs": replies::surbs(seed, &world).context("reply_surbs")?,
        "reply_payloads": replies::payloads(seed, &world).context("reply_payloads")?,
        "end_to_end": whole::end_to_end(seed, &world).context("end_to_end")?,
        "cover": whole::cover(seed, &world).context("cover")?,
    }))
}
