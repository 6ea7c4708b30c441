//! Every kind of message that clients exchange (nym-sphinx, src/message.rs;
//! nym-sphinx-anonymous-replies, src/requests/mod.rs, v1.rs and v2.rs).

use super::client::Client;
use super::{joined_payloads, DATA_SIZES};
use crate::line::{self, ChaCha20Rng};
use crate::vectors::support::{join, pattern, random};
use anyhow::{Context, Result};
use nym_sphinx::message::{NymMessage, PaddedMessage};
use nym_sphinx_anonymous_replies::requests::{
    AnonymousSenderTag, RepliableMessage, ReplyMessage, SENDER_TAG_SIZE,
};
use nym_sphinx_anonymous_replies::ReplySurbWithKeyRotation;
use nym_sphinx_params::PacketSize;
use serde_json::{json, Value};

const CONTENT: &[u8] = b"hello mixnet";

/// The content tags of heartbeats in both versions.
const HEARTBEAT_V1: u8 = 2;
const HEARTBEAT_V2: u8 = 5;

/// What a repliable message is for.
#[derive(Clone, Copy)]
enum Purpose {
    Data,
    AdditionalSurbs,
    Heartbeat,
}

/// `messages`: messages with their encoding and padding.
pub fn messages(seed: u64) -> Result<Vec<Value>> {
    let rng = &mut random(seed, "pipeline: messages");
    let mut cases = plain_messages(rng)?;
    cases.extend(replies(rng, seed)?);
    cases.extend(repliable_messages(rng, seed)?);
    Ok(cases)
}

fn plain_messages(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let regular = PacketSize::RegularPacket;
    // One byte for the kind of the message and one of padding leave 1602 of the 1604.
    let cases = [
        ("plain", CONTENT.to_vec(), regular),
        ("plain_empty", Vec::new(), regular),
        ("plain_trailing_one_and_zeros", vec![9, 1, 0, 0], regular),
        ("plain_exact_fit", pattern(1602, 3, 5), regular),
        ("plain_one_over", pattern(1603, 3, 5), regular),
        // Two packets, where the estimate says three.
        ("plain_estimate_above", pattern(3206, 3, 5), regular),
        (
            "plain_extended8",
            CONTENT.to_vec(),
            PacketSize::ExtendedPacket8,
        ),
        (
            "plain_extended16",
            CONTENT.to_vec(),
            PacketSize::ExtendedPacket16,
        ),
        (
            "plain_extended32",
            CONTENT.to_vec(),
            PacketSize::ExtendedPacket32,
        ),
    ];
    let describe = |(kind, content, size): (&str, Vec<u8>, PacketSize)| {
        let fields = json!({"kind": kind, "content": hex::encode(&content)});
        case(rng, NymMessage::new_plain(content), size, fields)
    };
    cases.into_iter().map(describe).collect()
}

fn replies(rng: &mut ChaCha20Rng, seed: u64) -> Result<Vec<Value>> {
    let size = PacketSize::RegularPacket;
    let data = NymMessage::new_reply(ReplyMessage::new_data_message(CONTENT.to_vec()));
    let fields = json!({"kind": "reply_data", "content": hex::encode(CONTENT)});
    let mut cases = vec![case(rng, data, size, fields)?];
    let requester = Client::new(seed, 1, false).address;
    for amount in [10, 0x0102_0304] {
        let request = NymMessage::new_additional_surbs_request(requester, amount);
        let fields = json!({
            "kind": "reply_surb_request",
            "requester": requester.to_string(),
            "amount": amount,
        });
        cases.push(case(rng, request, size, fields)?);
    }
    Ok(cases)
}

fn repliable_messages(rng: &mut ChaCha20Rng, seed: u64) -> Result<Vec<Value>> {
    // Version 1 does not tell the rotation, so its SURBs are those of an unknown one.
    let old = &mut Client::new(seed, 0, false);
    let odd = &mut Client::new(seed, 17, false);
    let even = &mut Client::new(seed, 42, false);
    let direct = &mut Client::new(seed, 17, true);
    let tag = AnonymousSenderTag::new_random(rng);
    let mut cases = Vec::new();
    for (name, purpose, amounts) in [
        ("data", Purpose::Data, &[0, 1, 2, 10][..]),
        ("additional_surbs", Purpose::AdditionalSurbs, &[2]),
        ("heartbeat", Purpose::Heartbeat, &[2]),
    ] {
        for &amount in amounts {
            for (version, client) in [("v1", &mut *old), ("v2", &mut *odd)] {
                if version == "v1" && !line::OLD_FORMATS {
                    continue;
                }
                let kind = format!("repliable_{name}_{version}_{amount}");
                let surbs = client.surbs(version == "v1", amount)?;
                cases.push(repliable(rng, &kind, version, purpose, tag, surbs)?);
            }
        }
    }
    for (name, client) in [("even_rotation", even), ("singlehop", direct)] {
        let kind = format!("repliable_data_v2_{name}");
        let surbs = client.surbs(false, 2)?;
        cases.push(repliable(rng, &kind, "v2", Purpose::Data, tag, surbs)?);
    }
    Ok(cases)
}

fn repliable(
    rng: &mut ChaCha20Rng,
    kind: &str,
    version: &str,
    purpose: Purpose,
    tag: AnonymousSenderTag,
    surbs: Vec<ReplySurbWithKeyRotation>,
) -> Result<Value> {
    let rotation = surbs.first().map(|surb| surb.key_rotation());
    let encoded_surbs: Vec<_> = surbs
        .iter()
        .map(|surb| hex::encode(surb.inner_reply_surb().to_bytes()))
        .collect();
    let old = version == "v1";
    let (content, message) = match purpose {
        Purpose::Data => (
            CONTENT,
            line::repliable_data(old, CONTENT.to_vec(), tag, surbs)?,
        ),
        Purpose::AdditionalSurbs => (&[][..], line::additional_surbs(old, tag, surbs)?),
        Purpose::Heartbeat => (&[][..], heartbeat(old, tag, surbs)?),
    };
    let fields = json!({
        "kind": kind,
        "encoding": version,
        "content": hex::encode(content),
        "key_rotation": rotation.unwrap_or_default() as u8,
        "reply_surbs": encoded_surbs,
        "sender_tag": hex::encode(tag.to_bytes()),
        "sender_tag_base58": tag.to_base58_string(),
    });
    let message = NymMessage::new_repliable(message);
    case(rng, message, PacketSize::RegularPacket, fields)
}

/// A heartbeat. The crate has no public way to make one, since no client sends it; but it reads
/// one, and it has the form of additional SURBs under another tag.
pub fn heartbeat(
    old: bool,
    tag: AnonymousSenderTag,
    surbs: Vec<ReplySurbWithKeyRotation>,
) -> Result<RepliableMessage> {
    let mut encoded = line::additional_surbs(old, tag, surbs)?.into_bytes();
    encoded[SENDER_TAG_SIZE] = if old { HEARTBEAT_V1 } else { HEARTBEAT_V2 };
    RepliableMessage::try_from_bytes(&encoded).context("reading a heartbeat")
}

/// Add to the fields of a case what the crate makes of its message.
fn case(
    rng: &mut ChaCha20Rng,
    message: NymMessage,
    size: PacketSize,
    fields: Value,
) -> Result<Value> {
    let length = message.available_sphinx_plaintext_per_packet(size);
    let estimates = DATA_SIZES.map(|size| message.required_packets(size));
    let fragments = message
        .pad_to_full_packet_lengths(length)
        .split_into_fragments(rng, length);
    let padded = joined_payloads(&fragments);
    // The encoding itself is private. It ends where the padding begins, at the last 1.
    let end = padded
        .iter()
        .rposition(|byte| *byte == 1)
        .context("a padded message without its mark")?;
    let encoding = json!({
        "nym_message": hex::encode(&padded[..end]),
        "plaintext_per_packet": length,
        "padded_len": padded.len(),
        "zero_padding": padded.len() - end - 1,
        "required_packets_regular_ext8_ext16_ext32": estimates,
    });
    PaddedMessage::new_reconstructed(padded)
        .remove_padding()
        .with_context(|| format!("reading back {}", fields["kind"]))?;
    Ok(join([fields, encoding]))
}
