//! The sections `ack_identifiers` and `surb_acks`.

use super::journey::travel;
use super::world::{Client, World};
use super::{Form, AVERAGE_DELAY};
use crate::line::{self, ChaCha20Rng};
use crate::vectors::support::{pattern, random};
use anyhow::{ensure, Result};
use nym_sphinx::acknowledgements::identifier::{prepare_identifier, recover_identifier};
use nym_sphinx::acknowledgements::surb_ack::SurbAck;
use nym_sphinx::chunking::fragment::{Fragment, FragmentIdentifier, COVER_FRAG_ID};
use nym_sphinx::forwarding::packet::MixPacket;
use nym_sphinx::message::NymMessage;
use nym_sphinx::params::{PacketType, SphinxKeyRotation};
use serde_json::{json, Value};

/// A small length per packet, which makes many fragments from little data.
const PLAINTEXT_PER_PACKET: usize = 32;

/// Make the section `ack_identifiers`.
pub fn identifiers(seed: u64, world: &World) -> Result<Value> {
    let rng = &mut random(seed, "pipeline ack identifiers");
    let mut cases = Vec::new();
    for _ in 0..2 {
        let fragments = NymMessage::new_plain(pattern(6000, 7, 1))
            .pad_to_full_packet_lengths(PLAINTEXT_PER_PACKET)
            .split_into_fragments(rng, PLAINTEXT_PER_PACKET);
        for index in [0, 56, 173] {
            cases.push(fragment_case(rng, world, &fragments[index])?);
        }
    }
    // The largest set id; splitting draws it too seldom to wait for.
    let largest = FragmentIdentifier::try_from_bytes([0x7f, 0xff, 0xff, 0xff, 0xff])?;
    cases.push(identifier_case(rng, world, largest, u8::MAX)?);
    let mut cover = identifier_case(rng, world, COVER_FRAG_ID, 0)?;
    cover["cover"] = true.into();
    cases.push(cover);
    Ok(cases.into())
}

fn fragment_case(rng: &mut ChaCha20Rng, world: &World, fragment: &Fragment) -> Result<Value> {
    identifier_case(
        rng,
        world,
        fragment.fragment_identifier(),
        fragment.current_fragment(),
    )
}

fn identifier_case(
    rng: &mut ChaCha20Rng,
    world: &World,
    identifier: FragmentIdentifier,
    position: u8,
) -> Result<Value> {
    let key = &world.alice.ack_key;
    let payload = prepare_identifier(rng, key, identifier.to_bytes());
    ensure!(recover_identifier(key, &payload) == Some(identifier.to_bytes()));
    let (iv, _) = payload.split_at(payload.len() - identifier.to_bytes().len());
    Ok(json!({
        "ack_key": hex::encode(key.as_bytes()),
        "set_id": identifier.set_id(),
        "fragment_position": position,
        "fragment_identifier": hex::encode(identifier.to_bytes()),
        "iv": hex::encode(iv),
        "ack_payload": hex::encode(&payload),
    }))
}

/// An ack for a client's fragment, as the client makes it.
pub fn surb_ack(
    rng: &mut ChaCha20Rng,
    world: &World,
    owner: &Client,
    identifier: FragmentIdentifier,
    form: Form,
) -> Result<SurbAck> {
    line::surb_ack(
        rng,
        form.legacy,
        &owner.address,
        &owner.ack_key,
        identifier.to_bytes(),
        AVERAGE_DELAY,
        &world.routes,
        form.without_mix_hops,
    )
}

/// Make the section `surb_acks`.
pub fn surb_acks(seed: u64, world: &World) -> Result<Value> {
    let rng = &mut random(seed, "pipeline surb acks");
    let mut cases = Vec::new();
    for owner in [&world.alice, &world.bob] {
        let forms = [Form::CURRENT, Form::LEGACY, Form::WITHOUT_MIX_HOPS];
        for form in forms.into_iter().filter(|form| form.is_made()) {
            cases.push(surb_ack_case(rng, world, owner, form)?);
        }
    }
    Ok(cases.into())
}

fn surb_ack_case(
    rng: &mut ChaCha20Rng,
    world: &World,
    owner: &Client,
    form: Form,
) -> Result<Value> {
    let fragment = &NymMessage::new_plain(Vec::new())
        .pad_to_full_packet_lengths(PLAINTEXT_PER_PACKET)
        .split_into_fragments(rng, PLAINTEXT_PER_PACKET)[0];
    let identifier = fragment.fragment_identifier();
    let (delay, block) = surb_ack(rng, world, owner, identifier, form)?.prepare_for_sending()?;
    let (first_hop, packet) = SurbAck::try_recover_first_hop_packet(&block, PacketType::Mix)?;
    let encoded = packet.to_bytes()?;
    let rotation = SphinxKeyRotation::Unknown;
    let arrival = travel(
        world,
        MixPacket::new(first_hop, packet, PacketType::Mix, rotation),
    )?;
    let delivered = &arrival.last.message;
    ensure!(recover_identifier(&owner.ack_key, delivered) == Some(identifier.to_bytes()));
    Ok(json!({
        "owner": owner.name,
        "legacy_sphinx": form.legacy,
        "mix_hops_disabled": form.without_mix_hops,
        "fragment_identifier": hex::encode(identifier.to_bytes()),
        "surb_ack_bytes": hex::encode(&block),
        "first_hop": first_hop.to_string(),
        "ack_sphinx_packet": hex::encode(encoded),
        "expected_total_delay_nanos": delay.to_nanos().to_string(),
        "unwrapped_hops": arrival.hops,
        "destination": hex::encode(arrival.last.destination.as_bytes()),
        "delivered_to_client": hex::encode(delivered),
    }))
}
