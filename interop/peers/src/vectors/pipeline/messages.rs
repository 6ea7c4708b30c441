//! The sections about messages: addresses, sizes, the kinds of messages, fragments and parsing.

mod addresses;
mod client;
mod fragments;
mod kinds;
mod parsing;
mod sizes;

use crate::vectors::support::{join, random};
use anyhow::Result;
use nym_sphinx_chunking::fragment::Fragment;
use nym_sphinx_params::PacketSize;
use serde_json::{json, Value};

/// The sizes of packets that carry messages. Acks have one of their own.
const DATA_SIZES: [PacketSize; 4] = [
    PacketSize::RegularPacket,
    PacketSize::ExtendedPacket8,
    PacketSize::ExtendedPacket16,
    PacketSize::ExtendedPacket32,
];

/// Make the sections.
pub fn sections(seed: u64) -> Result<Value> {
    let for_addresses = &mut random(seed, "pipeline: addresses");
    let for_fragments = &mut random(seed, "pipeline: fragments");
    Ok(join([
        json!({
            "recipients": addresses::recipients(for_addresses)?,
            "invalid_recipients": addresses::invalid_recipients(for_addresses)?,
            "node_addresses": addresses::node_addresses()?,
            "mix_packets": addresses::mix_packets(seed)?,
        }),
        json!({
            "packet_sizes": sizes::packet_sizes(),
            "key_rotation_bytes": sizes::key_rotation_bytes(),
            "fragment_capacity": sizes::fragment_capacity(),
        }),
        json!({
            "splitting": fragments::splitting(for_fragments),
            "fragment_parsing": fragments::fragment_parsing()?,
            "reassembly": fragments::reassembly(for_fragments)?,
        }),
        json!({
            "messages": kinds::messages(seed)?,
            "repliable_parsing": parsing::repliable_parsing(seed)?,
            "reply_parsing": parsing::reply_parsing(seed)?,
            "padding_removal": parsing::padding_removal()?,
        }),
    ]))
}

/// What the fragments of one message carry together: the message with its padding, which
/// `PaddedMessage` of nym-sphinx does not give away otherwise.
fn joined_payloads(fragments: &[Fragment]) -> Vec<u8> {
    fragments
        .iter()
        .flat_map(|fragment| fragment.payload().iter().copied())
        .collect()
}
