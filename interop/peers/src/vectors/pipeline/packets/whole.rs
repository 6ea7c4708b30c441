//! The sections `end_to_end` and `cover`: packets as the client makes them, carried through the
//! network, opened by the recipient, and their acks carried back.

use super::journey::there_and_back;
use super::world::World;
use super::{Form, AVERAGE_DELAY};
use crate::line::{self, ChaCha20Rng};
use crate::vectors::support::{pattern, random};
use anyhow::{ensure, Context, Result};
use nym_sphinx::acknowledgements::identifier::recover_identifier;
use nym_sphinx::anonymous_replies::requests::AnonymousSenderTag;
use nym_sphinx::anonymous_replies::ReplySurbWithKeyRotation;
use nym_sphinx::chunking::fragment::COVER_FRAG_ID;
use nym_sphinx::cover::is_cover;
use nym_sphinx::message::NymMessage;
use nym_sphinx::params::{PacketSize, PacketType};
use nym_sphinx::preparer::{MessagePreparer, PreparedFragment};
use nym_sphinx::receiver::{MessageReceiver, SphinxMessageReceiver};
use serde_json::{json, Value};

/// A message from Alice to Bob.
struct Case {
    name: &'static str,
    length: usize,
    size: PacketSize,
    form: Form,
    /// How many reply SURBs it brings, if it may be replied to.
    reply_surbs: Option<usize>,
}

const PLAIN: Case = Case {
    name: "short plain",
    length: 12,
    size: PacketSize::RegularPacket,
    form: Form::CURRENT,
    reply_surbs: None,
};

const CASES: [Case; 8] = [
    PLAIN,
    Case {
        name: "plain 3000 bytes",
        length: 3000,
        ..PLAIN
    },
    Case {
        name: "repliable with 10 v2 surbs",
        length: 20,
        reply_surbs: Some(10),
        ..PLAIN
    },
    Case {
        name: "plain in legacy packets",
        length: 1700,
        form: Form::LEGACY,
        ..PLAIN
    },
    Case {
        name: "repliable with 2 v1 surbs in legacy packets",
        form: Form::LEGACY,
        reply_surbs: Some(2),
        ..PLAIN
    },
    Case {
        name: "plain without mix hops",
        form: Form::WITHOUT_MIX_HOPS,
        ..PLAIN
    },
    Case {
        name: "repliable with 3 v2 surbs without mix hops",
        form: Form::WITHOUT_MIX_HOPS,
        reply_surbs: Some(3),
        ..PLAIN
    },
    Case {
        name: "plain in an extended8 packet",
        length: 5000,
        size: PacketSize::ExtendedPacket8,
        ..PLAIN
    },
];

/// Make the section `end_to_end`.
pub fn end_to_end(seed: u64, world: &World) -> Result<Value> {
    CASES
        .iter()
        .filter(|case| case.form.is_made())
        .map(|case| {
            let rng = random(seed, &format!("pipeline end to end: {}", case.name));
            end_to_end_case(rng, world, case).context(case.name)
        })
        .collect()
}

fn end_to_end_case(mut rng: ChaCha20Rng, world: &World, case: &Case) -> Result<Value> {
    let tag = AnonymousSenderTag::new_random(&mut rng);
    let mut preparer = line::preparer(
        rng,
        world.alice.address,
        AVERAGE_DELAY,
        case.form.legacy,
        case.form.without_mix_hops,
    );
    let message = compose(&mut preparer, world, case, tag)?;
    let mut receiver = SphinxMessageReceiver::new();
    let mut packets = Vec::new();
    let mut complete = None;
    for fragment in preparer.pad_and_split_message(message, case.size) {
        ensure!(complete.is_none(), "the message was complete too early");
        let prepared = preparer.prepare_chunk_for_sending(
            fragment,
            &world.routes,
            &world.alice.ack_key,
            &world.bob.address,
            PacketType::Mix,
        )?;
        let (record, opened) = carry(world, prepared)?;
        packets.push(record);
        complete = receiver.insert_new_fragment(receiver.recover_fragment(&opened)?)?;
    }
    let (message, used_sets) = complete.context("the message stayed incomplete")?;
    let (sender_tag, reply_surbs) = sender_of(&message)?;
    let content = message.into_inner_data();
    Ok(json!({
        "name": case.name,
        "from": world.alice.name,
        "to": world.bob.name,
        "packet_size": case.size.to_string(),
        "legacy_sphinx": case.form.legacy,
        "mix_hops_disabled": case.form.without_mix_hops,
        "packets": packets,
        "used_sets": used_sets,
        "sender_tag": sender_tag,
        "reply_surbs": reply_surbs,
        "content": hex::encode(&content),
        "content_len": content.len(),
    }))
}

fn compose(
    preparer: &mut MessagePreparer<ChaCha20Rng>,
    world: &World,
    case: &Case,
    tag: AnonymousSenderTag,
) -> Result<NymMessage> {
    let content = pattern(case.length, 7, 1);
    let Some(count) = case.reply_surbs else {
        return Ok(NymMessage::new_plain(content));
    };
    let legacy = case.form.legacy;
    let surbs = line::reply_surbs(preparer, legacy, count, &world.routes)?;
    let message = line::repliable_data(legacy, content, tag, surbs)?;
    Ok(NymMessage::new_repliable(message))
}

/// Carry a prepared packet to Bob and its ack to Alice; add what Bob decrypts.
fn carry(world: &World, prepared: PreparedFragment) -> Result<(Value, Vec<u8>)> {
    let identifier = prepared.fragment_identifier.to_bytes();
    let trip = there_and_back(world, prepared.mix_packet)?;
    let acknowledged = recover_identifier(&world.alice.ack_key, &trip.ack.last.message);
    ensure!(acknowledged == Some(identifier));
    let mut delivered = trip.data.last.message;
    let opened = SphinxMessageReceiver::new()
        .recover_plaintext_from_regular_packet(world.bob.encryption.private_key(), &mut delivered)?
        .to_vec();
    let mut record = trip.record;
    record["total_delay_nanos"] = prepared.total_delay.to_nanos().to_string().into();
    record["fragment"] = hex::encode(&opened).into();
    record["fragment_identifier"] = hex::encode(identifier).into();
    Ok((record, opened))
}

/// The sender's tag and reply SURBs as the recipient reads them.
fn sender_of(message: &NymMessage) -> Result<(String, Vec<Value>)> {
    let NymMessage::Repliable(message) = message else {
        return Ok((String::new(), Vec::new()));
    };
    let surbs = line::surbs_with_data(&message.content)
        .context("the message became one of another kind")?;
    Ok((
        hex::encode(message.sender_tag.to_bytes()),
        surbs.iter().map(describe).collect(),
    ))
}

fn describe(surb: &ReplySurbWithKeyRotation) -> Value {
    json!({
        "reply_surb_bytes": hex::encode(surb.inner_reply_surb().to_bytes()),
        "encryption_key": hex::encode(surb.encryption_key().as_bytes()),
        "encryption_key_digest": hex::encode(surb.encryption_key().compute_digest()),
        "key_rotation": surb.key_rotation() as u8,
    })
}

/// Make the section `cover`.
pub fn cover(seed: u64, world: &World) -> Result<Value> {
    let rng = &mut random(seed, "pipeline cover");
    [
        (Form::LEGACY, PacketSize::RegularPacket),
        (Form::CURRENT, PacketSize::RegularPacket),
        (Form::CURRENT, PacketSize::ExtendedPacket8),
    ]
    .into_iter()
    .filter(|(form, _)| form.is_made())
    .map(|(form, size)| cover_case(rng, world, form.legacy, size))
    .collect()
}

fn cover_case(
    rng: &mut ChaCha20Rng,
    world: &World,
    legacy: bool,
    size: PacketSize,
) -> Result<Value> {
    let owner = &world.alice;
    let packet = line::cover_packet(
        rng,
        legacy,
        &world.routes,
        &owner.ack_key,
        &owner.address,
        AVERAGE_DELAY,
        size,
    )?;
    let trip = there_and_back(world, packet)?;
    let acknowledged = recover_identifier(&owner.ack_key, &trip.ack.last.message);
    ensure!(acknowledged == Some(COVER_FRAG_ID.to_bytes()));
    let mut delivered = trip.data.last.message;
    let opened = SphinxMessageReceiver::new()
        .recover_plaintext_from_regular_packet(owner.encryption.private_key(), &mut delivered)?;
    ensure!(is_cover(opened));
    let (prefix, tail) = opened.split_at(32);
    let mut record = trip.record;
    record["owner"] = owner.name.into();
    record["legacy_sphinx"] = legacy.into();
    record["packet_size"] = size.to_string().into();
    record["decrypted_len"] = opened.len().into();
    record["decrypted_prefix32"] = hex::encode(prefix).into();
    record["decrypted_tail_all_zero"] = tail.iter().all(|byte| *byte == 0).into();
    Ok(record)
}
