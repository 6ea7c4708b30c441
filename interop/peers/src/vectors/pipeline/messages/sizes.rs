//! Sizes of packets, how many of them a message takes, and the markers of key rotations
//! (nym-sphinx-params, src/packet_sizes.rs and src/key_rotation.rs; nym-sphinx-chunking,
//! src/lib.rs and src/set.rs).

use super::DATA_SIZES;
use nym_sphinx::message::NymMessage;
use nym_sphinx_acknowledgements::surb_ack::SurbAck;
use nym_sphinx_anonymous_replies::requests::ReplyMessage;
use nym_sphinx_anonymous_replies::ReplySurb;
use nym_sphinx_chunking::fragment::{
    linked_fragment_payload_max_len, unlinked_fragment_payload_max_len,
};
use nym_sphinx_chunking::number_of_required_fragments;
use nym_sphinx_chunking::set::{
    max_one_way_linked_set_payload_length, max_unlinked_set_payload_length,
    two_way_linked_set_payload_length,
};
use nym_sphinx_params::{PacketSize, PacketType, SphinxKeyRotation};
use serde_json::{json, Value};

/// Ids whose parity is that of a rotation, and the two that stand for none.
const ROTATION_IDS: [u32; 11] = [
    0,
    1,
    2,
    3,
    4,
    17,
    42,
    0x7fff_ffff,
    0x8000_0000,
    u32::MAX - 1,
    u32::MAX,
];

/// `packet_sizes`: the parts of packets; of those that carry messages also the room for them.
pub fn packet_sizes() -> Vec<Value> {
    let data_sizes = DATA_SIZES.into_iter().map(|size| {
        let mut case = packet_size(size);
        for (name, value) in room(size) {
            case[name] = json!(value);
        }
        case
    });
    std::iter::once(packet_size(PacketSize::AckPacket))
        .chain(data_sizes)
        .collect()
}

fn packet_size(size: PacketSize) -> Value {
    json!({
        "name": size.to_string(),
        "tag": size as u8,
        "size": size.size(),
        "header": size.header_size(),
        "payload_overhead": size.payload_overhead(),
        "payload_size": size.payload_size(),
        "plaintext_size": size.plaintext_size(),
    })
}

fn room(size: PacketSize) -> [(&'static str, usize); 5] {
    let plain = NymMessage::new_plain(Vec::new());
    let reply = NymMessage::new_reply(ReplyMessage::new_data_message(Vec::new()));
    [
        ("plain_or_repliable_sphinx_plaintext", fragment_length(size)),
        (
            "reply_sphinx_plaintext",
            reply.available_sphinx_plaintext_per_packet(size),
        ),
        (
            "true_available_plaintext",
            plain.true_available_plaintext_per_packet(size),
        ),
        ("reply_surb_max_msg_len", ReplySurb::max_msg_len(size)),
        // The gateway takes the ack off and hands over the rest.
        (
            "delivered_to_client_len",
            size.plaintext_size() - SurbAck::len(Some(PacketType::Mix)),
        ),
    ]
}

/// The length of a fragment in packets of this size.
fn fragment_length(size: PacketSize) -> usize {
    NymMessage::new_plain(Vec::new()).available_sphinx_plaintext_per_packet(size)
}

/// `key_rotation_bytes`: the marker that each rotation id gives.
pub fn key_rotation_bytes() -> Vec<Value> {
    ROTATION_IDS
        .into_iter()
        .map(|id| json!({"rotation_id": id, "byte": SphinxKeyRotation::from(id) as u8}))
        .collect()
}

/// `fragment_capacity`: fragments, and the space left in the last, for lengths about the borders.
pub fn fragment_capacity() -> Vec<Value> {
    let mut cases = Vec::new();
    for length in DATA_SIZES.map(fragment_length) {
        for message_length in borders(length) {
            let (fragments, space_left) = number_of_required_fragments(message_length, length);
            cases.push(json!({
                "message_len": message_length,
                "plaintext_per_packet": length,
                "fragments": fragments,
                "space_left": space_left,
            }));
        }
    }
    cases
}

/// Lengths that just fill a fragment or a set of them, one byte less, and one more.
fn borders(fragment_length: usize) -> Vec<usize> {
    let fragment = unlinked_fragment_payload_max_len(fragment_length);
    let linked_fragment = linked_fragment_payload_max_len(fragment_length);
    let end_set = max_one_way_linked_set_payload_length(fragment_length);
    let middle_set = two_way_linked_set_payload_length(fragment_length);
    let full = [
        fragment,
        2 * fragment,
        max_unlinked_set_payload_length(fragment_length),
        end_set + linked_fragment,
        end_set + linked_fragment + fragment,
        2 * end_set,
        2 * end_set + linked_fragment,
        2 * end_set + middle_set,
        2 * end_set + 3 * middle_set,
    ];
    std::iter::once(1)
        .chain(full.into_iter().flat_map(|n| [n - 1, n, n + 1]))
        .collect()
}
