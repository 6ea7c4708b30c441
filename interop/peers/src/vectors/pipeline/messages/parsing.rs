//! What the parsers say of encoded messages, whole and broken (nym-sphinx, src/message.rs;
//! nym-sphinx-anonymous-replies, src/requests).

use super::addresses::no_point;
use super::client::Client;
use super::kinds::heartbeat;
use crate::line;
use crate::vectors::support::random;
use anyhow::{Context, Result};
use nym_sphinx::message::PaddedMessage;
use nym_sphinx_anonymous_replies::requests::{
    AnonymousSenderTag, RepliableMessage, ReplyMessage, SENDER_TAG_SIZE,
};
use serde_json::{json, Value};

/// Padded messages: kind, content, the last 1, and anything.
const PADDED: [&str; 18] = [
    "0041010000",
    "0001",
    "000101",
    "01",
    "0100",
    "",
    "00",
    "000000",
    "0041",
    "034101",
    "ff01",
    "004101010100",
    "0041010002",
    "00410100ff",
    "0201",
    "020001",
    "02020701",
    "01000001",
];

/// `repliable_parsing`: repliable messages without the byte of their kind, and a heartbeat.
pub fn repliable_parsing(seed: u64) -> Result<Value> {
    let tag = AnonymousSenderTag::new_random(&mut random(seed, "pipeline: repliable parsing"));
    let mut client = Client::new(seed, 17, false);
    let heartbeat = heartbeat(false, tag, client.surbs(false, 1)?)?.into_bytes();
    let new = line::repliable_data(false, Vec::new(), tag, client.surbs(false, 1)?)?;
    let mut bodies = Vec::new();
    if line::OLD_FORMATS {
        let old = line::repliable_data(true, Vec::new(), tag, client.surbs(true, 1)?)?;
        bodies = old_bodies(&old.into_bytes()[SENDER_TAG_SIZE..]);
    }
    bodies.extend(new_bodies(&new.into_bytes()[SENDER_TAG_SIZE..]));
    let bodies = bodies
        .into_iter()
        .map(|(name, body)| (name, [&tag.to_bytes()[..], &body].concat()));
    let verdict = |(name, bytes): (&str, Vec<u8>)| {
        let accepted = RepliableMessage::try_from_bytes(&bytes).is_ok();
        json!({"name": name, "bytes": hex::encode(bytes), "accepted": accepted})
    };
    let without_tag = [("nothing", Vec::new()), ("short", vec![0])];
    let cases: Vec<_> = without_tag.into_iter().chain(bodies).map(verdict).collect();
    Ok(json!({"heartbeat_v2": hex::encode(heartbeat), "cases": cases}))
}

/// What can follow a sender tag in version 1; `sound` holds one SURB and no data.
fn old_bodies(sound: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("v1_short_preamble", vec![0, 0, 0, 0]),
        ("v1_zero_surbs_ok", vec![0, 0, 0, 0, 0, b'A']),
        ("v1_empty_ok", vec![0, 0, 0, 0, 0]),
        ("v1_trailing_on_additional_ok", vec![1, 0, 0, 0, 0, 1, 2, 3]),
        ("v1_empty_heartbeat_ok", vec![2, 0, 0, 0, 0]),
        ("v1_one_surb_ok", sound.to_vec()),
        ("v1_truncated_surb", sound[..sound.len() - 1].to_vec()),
        ("v1_no_first_hop", with_zeros(&[0, 0, 0, 0, 1], 1164)),
        (
            "v1_too_many_surbs",
            with_zeros(&[0, 0xff, 0xff, 0xff, 0xff], 100),
        ),
    ]
}

/// The same in version 2, and without a known version.
fn new_bodies(sound: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let with_rotation = |rotation: u8| {
        let mut body = sound.to_vec();
        body[4] = rotation;
        body
    };
    vec![
        ("tag_only", vec![3]),
        ("bad_content_tag", vec![6, 0, 0, 0, 0]),
        ("v2_short_preamble", vec![3, 0, 0, 0]),
        ("v2_bad_rotation", vec![3, 0, 0, 0, 3]),
        ("v2_bad_rotation_of_a_surb", with_rotation(0xff)),
        ("v2_unknown_rotation_ok", with_rotation(0)),
        ("v2_zero_surbs_ok", vec![3, 0, 0, 0, 0, b'A', b'B']),
        ("v2_empty_ok", vec![3, 0, 0, 0, 0]),
        ("v2_trailing_on_additional_ok", vec![4, 0, 0, 0, 2, 1, 2, 3]),
        ("v2_trailing_on_heartbeat_ok", vec![5, 0, 0, 0, 2, 1, 2, 3]),
        ("v2_one_surb_ok", sound.to_vec()),
        ("v2_one_surb_and_data_ok", [sound, b"data"].concat()),
        ("v2_surb_one_byte_short", sound[..sound.len() - 1].to_vec()),
        ("v2_truncated_surb", with_zeros(&[3, 0, 1, 4, 1], 100)),
        ("v2_no_first_hop", with_zeros(&[3, 0, 1, 4, 1], 460)),
    ]
}

fn with_zeros(start: &[u8], zeros: usize) -> Vec<u8> {
    [start, &vec![0; zeros]].concat()
}

/// `reply_parsing`: replies without the byte of their kind.
pub fn reply_parsing(seed: u64) -> Result<Vec<Value>> {
    let address = Client::new(seed, 1, false).address;
    let request = ReplyMessage::new_surb_request_message(address, u32::MAX).into_bytes();
    let mut off_the_curve = request.clone();
    off_the_curve[1..33].copy_from_slice(&no_point()?);
    let cases = [
        ("empty", Vec::new()),
        ("data_empty", vec![0]),
        ("data_one", vec![0, 7]),
        ("data_of_zeros", vec![0; 40]),
        ("bad_tag", vec![2, 7]),
        ("request_empty", vec![1]),
        ("request_short", vec![1; 100]),
        (
            "request_one_byte_short",
            request[..request.len() - 1].to_vec(),
        ),
        ("request_one_byte_long", [&request[..], &[0]].concat()),
        ("request_zero_keys", [vec![1], vec![0; 100]].concat()),
        ("request_off_the_curve", off_the_curve),
        ("request", request),
    ];
    let verdict = |(name, bytes): (&str, Vec<u8>)| {
        let accepted = ReplyMessage::try_from_bytes(&bytes).is_ok();
        json!({"name": name, "bytes": hex::encode(bytes), "accepted": accepted})
    };
    Ok(cases.into_iter().map(verdict).collect())
}

/// `padding_removal`: padded messages, and the content of those that are plain ones.
pub fn padding_removal() -> Result<Vec<Value>> {
    let remove = |padded: &str| -> Result<Value> {
        let bytes = hex::decode(padded).with_context(|| padded.to_owned())?;
        Ok(
            match PaddedMessage::new_reconstructed(bytes).remove_padding() {
                Ok(message) => json!({
                    "bytes": padded,
                    "ok": true,
                    "inner_data": hex::encode(message.into_inner_data()),
                }),
                Err(error) => json!({"bytes": padded, "ok": false, "error": error.to_string()}),
            },
        )
    };
    PADDED.into_iter().map(remove).collect()
}
