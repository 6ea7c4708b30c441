//! Fragments: splitting messages, parsing, and putting together again (nym-sphinx-chunking,
//! src/set.rs, src/fragment.rs and src/reconstruction.rs; nym-sphinx, src/receiver.rs).

use super::joined_payloads;
use crate::line::ChaCha20Rng;
use crate::vectors::support::pattern;
use anyhow::{ensure, Context, Result};
use nym_sphinx::message::NymMessage;
use nym_sphinx::receiver::{MessageReceiver, SphinxMessageReceiver};
use nym_sphinx_chunking::fragment::Fragment;
use nym_sphinx_chunking::split_into_sets;
use serde_json::{json, Value};

/// The length of fragments in regular packets.
const REGULAR: usize = 1611;

/// A length so small that short messages take more than one set; only here, no packet has it.
const TINY: usize = 20;

/// Encoded fragments, among them many that contradict themselves.
const ENCODED: [&str; 29] = [
    "80000001010100aabb",
    "80000001010100",
    "ffffffff03020011",
    "8000000901018000000722",
    "80000009010180000007",
    "80000009ff018000000722",
    "80000009ffff8000000733",
    "80000009ffffffffffff33",
    "80000009ffff0033",
    "00000001010100",
    "7fffffff010100aa",
    "80000000010100aa",
    "80000001000100",
    "80000001010000",
    "80000001000000",
    "80000001010200",
    "80000001feff00",
    "800000010101",
    "80",
    "",
    "8000000102028000000733",
    "80000001ff028000000733",
    "80000001fffe8000000733",
    "8000000101018000000144",
    "80000001ffff8000000144",
    "8000000101018000000044",
    "80000001010101000007",
    "8000000101017f00000744",
    "8000000101018000",
];

fn split(rng: &mut ChaCha20Rng, message: &[u8], fragment_length: usize) -> Vec<Fragment> {
    split_into_sets(rng, message, fragment_length)
        .into_iter()
        .flatten()
        .collect()
}

/// The ids of the sets of these fragments, in their order.
fn set_ids(fragments: &[Fragment]) -> Vec<i32> {
    let mut ids: Vec<_> = fragments.iter().map(Fragment::id).collect();
    ids.dedup();
    ids
}

/// `splitting`: messages of a pattern and their fragments.
pub fn splitting(rng: &mut ChaCha20Rng) -> Vec<Value> {
    let cases = [
        (1, 2, 200, REGULAR),
        (100, 7, 3, REGULAR),
        (1604, 5, 1, REGULAR),
        (1605, 5, 1, REGULAR),
        (10000, 31, 11, REGULAR),
        (9000, 13, 77, 7755),
        (3315, 3, 9, TINY),
        (3316, 3, 9, TINY),
        (6624, 3, 9, TINY),
        (6625, 3, 9, TINY),
    ];
    cases
        .into_iter()
        .map(|(length, a, b, fragment_length)| {
            let fragments = split(rng, &pattern(length, a, b), fragment_length);
            let describe = if fragment_length == TINY {
                in_part
            } else {
                in_full
            };
            json!({
                "message_len": length,
                "pattern_a": a,
                "pattern_b": b,
                "plaintext_per_packet": fragment_length,
                "set_ids": set_ids(&fragments),
                "fragments": fragments.iter().map(describe).collect::<Vec<_>>(),
            })
        })
        .collect()
}

fn in_full(fragment: &Fragment) -> Value {
    json!({
        "bytes": hex::encode(fragment.clone().into_bytes()),
        "set_id": fragment.id(),
        "total": fragment.total_fragments(),
        "current": fragment.current_fragment(),
        "previous_set_id": fragment.previous_fragments_set_id(),
        "next_set_id": fragment.next_fragments_set_id(),
        "payload_len": fragment.payload_size(),
        "fragment_identifier": hex::encode(fragment.fragment_identifier().to_bytes()),
    })
}

/// Enough of a fragment where there are hundreds.
fn in_part(fragment: &Fragment) -> Value {
    let payload = fragment.payload();
    let encoded = fragment.clone().into_bytes();
    json!({
        "header": hex::encode(&encoded[..encoded.len() - payload.len()]),
        "payload_first8": hex::encode(&payload[..payload.len().min(8)]),
        "payload_len": payload.len(),
    })
}

/// `fragment_parsing`: what the parser says of encoded fragments.
pub fn fragment_parsing() -> Result<Vec<Value>> {
    let parse = |encoded: &str| -> Result<Value> {
        let bytes = hex::decode(encoded).with_context(|| encoded.to_owned())?;
        Ok(match Fragment::try_from_bytes(&bytes) {
            Ok(fragment) => json!({
                "bytes": encoded,
                "valid": true,
                "fields": in_full(&fragment),
                "payload": hex::encode(fragment.payload()),
            }),
            Err(error) => json!({"bytes": encoded, "valid": false, "error": error.to_string()}),
        })
    };
    ENCODED.into_iter().map(parse).collect()
}

/// `reassembly`: sequences of fragments, and what comes out after each.
pub fn reassembly(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let [one, two, three] = &fragments_of(rng, 3500, 13, 2)?;
    let [other, another] = &fragments_of(rng, 1700, 17, 6)?;
    let conflicting = &with_another_last_byte(one)?;
    let sequences: [(&str, Vec<&Fragment>); 7] = [
        ("in order", vec![one, two, three]),
        ("reverse order", vec![three, two, one]),
        (
            "interleaved messages",
            vec![other, one, another, two, three],
        ),
        (
            "identical duplicate before completion",
            vec![one, one, two, three],
        ),
        (
            "conflicting duplicate: the later one wins",
            vec![conflicting, one, two, three],
        ),
        (
            "conflicting duplicate arriving last before completion",
            vec![one, two, conflicting, three],
        ),
        (
            "same set again after completion starts a new set",
            vec![one, two, three, one, two, three],
        ),
    ];
    let mut cases: Vec<_> = sequences
        .into_iter()
        .map(|(name, fragments)| sequence(name, fragments))
        .collect();
    for (name, encoded) in [
        ("complete, but without padding", "8000000501010000410000"),
        ("complete, but of no kind", "80000005010100034101"),
        ("complete, but empty", "800000050101000100"),
    ] {
        let fragment = Fragment::try_from_bytes(&hex::decode(encoded)?)?;
        cases.push(sequence(name, vec![&fragment]));
    }
    cases.push(linked_sets(rng, 3415, &[1, 2])?);
    cases.push(linked_sets(rng, 3416, &[2, 1])?);
    cases.push(linked_sets(rng, 6800, &[3, 1, 2])?);
    Ok(cases)
}

/// The fragments of a padded plain message, which are `N`.
fn fragments_of<const N: usize>(
    rng: &mut ChaCha20Rng,
    length: usize,
    a: usize,
    b: usize,
) -> Result<[Fragment; N]> {
    let message = NymMessage::new_plain(pattern(length, a, b));
    message
        .pad_to_full_packet_lengths(REGULAR)
        .split_into_fragments(rng, REGULAR)
        .try_into()
        .map_err(|fragments: Vec<_>| anyhow::anyhow!("{} fragments, not {N}", fragments.len()))
}

fn with_another_last_byte(fragment: &Fragment) -> Result<Fragment> {
    let mut encoded = fragment.clone().into_bytes();
    let last = encoded.last_mut().context("an empty fragment")?;
    *last ^= 0xff;
    Ok(Fragment::try_from_bytes(&encoded)?)
}

/// What the receiver makes of these fragments, one after the other.
fn sequence(name: &str, fragments: Vec<&Fragment>) -> Value {
    let mut receiver = SphinxMessageReceiver::new();
    let mut results = Vec::new();
    for fragment in &fragments {
        results.push(match receiver.insert_new_fragment((*fragment).clone()) {
            Ok(None) => Value::Null,
            Ok(Some((message, used_sets))) => json!({
                "data": hex::encode(message.into_inner_data()),
                "used_sets": used_sets,
            }),
            Err(error) => json!({"error": error.to_string()}),
        });
    }
    let encode = |fragment: &Fragment| hex::encode(fragment.clone().into_bytes());
    let encoded: Vec<_> = fragments.into_iter().map(encode).collect();
    json!({"name": name, "fragments": encoded, "results": results})
}

/// A message over several sets, which arrive in this order (counted from 1).
fn linked_sets(rng: &mut ChaCha20Rng, length: usize, order: &[usize]) -> Result<Value> {
    let fragments = NymMessage::new_plain(pattern(length, 3, 1))
        .pad_to_full_packet_lengths(TINY)
        .split_into_fragments(rng, TINY);
    let ids = set_ids(&fragments);
    ensure!(ids.len() == order.len(), "{length} bytes take {ids:?}");
    let arriving = order.iter().flat_map(|number| {
        let id = ids[number - 1];
        fragments.iter().filter(move |fragment| fragment.id() == id)
    });
    let mut receiver = SphinxMessageReceiver::new();
    let mut completed = None;
    for (index, fragment) in arriving.enumerate() {
        if let Some(message) = receiver.insert_new_fragment(fragment.clone())? {
            completed = Some((index, message));
        }
    }
    let (index, (message, used_sets)) = completed.context("the message was not completed")?;
    let sets: Vec<_> = order
        .iter()
        .map(|number| format!("of set {number}"))
        .collect();
    Ok(json!({
        "name": format!("{} linked sets in the order {order:?}", ids.len()),
        "order": format!("all fragments {}", sets.join(", then all ")),
        "padded_message": hex::encode(joined_payloads(&fragments)),
        "plaintext_per_packet": TINY,
        "set_ids": ids,
        "completed_at_index": index,
        "data": hex::encode(message.into_inner_data()),
        "used_sets": used_sets,
    }))
}
