//! The sections `reply_surbs` and `reply_payloads`: reply SURBs of all kinds, and replies with them.

use super::acks::surb_ack;
use super::journey::travel;
use super::payloads::only_fragment;
use super::world::World;
use super::{Form, AVERAGE_DELAY};
use crate::line::{self, ChaCha20Rng, Rng};
use crate::vectors::support::random;
use anyhow::{ensure, Result};
use nym_sphinx::addressing::nodes::NymNodeRoutingAddress;
use nym_sphinx::anonymous_replies::requests::ReplyMessage;
use nym_sphinx::anonymous_replies::{ReplySurb, SurbEncryptionKey};
use nym_sphinx::forwarding::packet::MixPacket;
use nym_sphinx::message::NymMessage;
use nym_sphinx::params::{PacketSize, PacketType, SphinxKeyRotation};
use nym_sphinx::receiver::{MessageReceiver, SphinxMessageReceiver};
use nym_sphinx::routing::generate_hop_delays;
use nym_sphinx::{NymPayloadBuilder, PrivateKey, SURB, X25519_WITH_EXPLICIT_PAYLOAD_KEYS_VERSION};
use serde_json::{json, Value};

/// A reply SURB of Alice and all that went into it.
struct Made {
    surb: ReplySurb,
    rotation: SphinxKeyRotation,
    record: Value,
}

/// Make the section `reply_surbs`.
pub fn surbs(seed: u64, world: &World) -> Result<Value> {
    let rng = &mut random(seed, "pipeline reply surbs");
    let current = make(rng, world, Form::CURRENT)?;
    let mut section = json!({
        "owner": world.alice.name,
        "v2_four_hops": current.record,
        "v2_four_hops_base58": current.surb.to_base58_string(),
        "v2_single_hop_no_mixes": make(rng, world, Form::WITHOUT_MIX_HOPS)?.record,
    });
    if Form::LEGACY.is_made() {
        section["v1_four_hops"] = make(rng, world, Form::LEGACY)?.record;
    }
    Ok(section)
}

/// Do what `ReplySurb::construct` does, but with an initial secret that we know: that function draws
/// one and keeps it to itself.
fn make(rng: &mut ChaCha20Rng, world: &World, form: Form) -> Result<Made> {
    let owner = &world.alice.address;
    let route = if form.without_mix_hops {
        world.routes.empty_route_to_egress(owner.gateway())?
    } else {
        world.routes.random_route_to_egress(rng, owner.gateway())?
    };
    let delays = generate_hop_delays(AVERAGE_DELAY, route.len());
    let node_ids = world.ids(&route)?;
    // Marks of key rotations came with the SURBs of the current version.
    let (version, rotation) = if form.legacy {
        let version = X25519_WITH_EXPLICIT_PAYLOAD_KEYS_VERSION;
        (version, SphinxKeyRotation::Unknown)
    } else {
        (line::SENT_VERSION, world.key_rotation())
    };
    let destination = owner.as_sphinx_destination();
    let material = line::surb_material(version, route, delays.clone(), destination);
    let initial_secret = PrivateKey::from(rng.gen::<[u8; 32]>());
    let surb = SURB::new(initial_secret.clone(), material)?;
    let key = SurbEncryptionKey::new(rng);
    let encoded = [key.as_bytes(), &surb.to_bytes()].concat();
    let reply_surb = ReplySurb::from_bytes(&encoded)?;
    ensure!(reply_surb.to_bytes() == encoded);
    let record = json!({
        "legacy_explicit_keys": !line::uses_key_seeds(&surb),
        "sphinx_version": version.value(),
        "key_rotation": rotation as u8,
        "hops": surb.materials_count(),
        "route_node_ids": node_ids,
        "delays_nanos": delays.iter().map(|delay| delay.to_nanos().to_string()).collect::<Vec<_>>(),
        "initial_secret": hex::encode(initial_secret.to_bytes()),
        "first_hop": NymNodeRoutingAddress::try_from(surb.first_hop())?.to_string(),
        "encryption_key": hex::encode(key.as_bytes()),
        "encryption_key_digest": hex::encode(key.compute_digest()),
        "surb_bytes": hex::encode(surb.to_bytes()),
        "reply_surb_bytes": hex::encode(&encoded),
        "reply_surb_len": encoded.len(),
    });
    Ok(Made {
        surb: reply_surb,
        rotation,
        record,
    })
}

/// Make the section `reply_payloads`.
pub fn payloads(seed: u64, world: &World) -> Result<Value> {
    let rng = &mut random(seed, "pipeline reply payloads");
    [
        (Form::CURRENT, PacketSize::RegularPacket),
        (Form::LEGACY, PacketSize::RegularPacket),
        (Form::WITHOUT_MIX_HOPS, PacketSize::RegularPacket),
        (Form::CURRENT, PacketSize::ExtendedPacket8),
    ]
    .into_iter()
    .filter(|(form, _)| form.is_made())
    .map(|(form, size)| reply(rng, world, form, size))
    .collect()
}

/// A reply of Bob with a SURB of Alice.
fn reply(rng: &mut ChaCha20Rng, world: &World, form: Form, size: PacketSize) -> Result<Value> {
    let made = make(rng, world, form)?;
    let content = ReplyMessage::new_data_message(b"hello mixnet".to_vec());
    let fragment = only_fragment(rng, NymMessage::new_reply(content), size)?;
    let identifier = fragment.fragment_identifier();
    let ack = surb_ack(rng, world, &world.bob, identifier, Form::CURRENT)?;
    let encoded_fragment = fragment.clone().into_bytes();
    let key = *made.surb.encryption_key();
    let payload = NymPayloadBuilder::new(fragment, ack).build_reply(&key)?;
    let applied =
        made.surb
            .with_key_rotation(made.rotation)
            .apply_surb(&payload, size, PacketType::Mix)?;
    let packet = MixPacket::from_applied_surb(applied, PacketType::Mix);
    let sphinx_packet = packet.packet().to_bytes()?;
    let first_hop = packet.next_hop().to_string();
    // Encoding consumes a packet.
    let v2 = packet.into_v2_bytes()?;
    let v1 = MixPacket::try_from_v2_bytes(&v2)?.into_v1_bytes()?;
    let arrival = travel(world, MixPacket::try_from_v2_bytes(&v2)?)?;
    let delivered = &arrival.last.message;

    let (digest, ciphertext) = delivered.split_at(key.compute_digest().len());
    let mut opened = ciphertext.to_vec();
    SphinxMessageReceiver::new().recover_plaintext_from_reply(&mut opened, key)?;
    ensure!(digest == key.compute_digest().as_slice() && opened == encoded_fragment);
    Ok(json!({
        "from": world.bob.name,
        "to_owner_of_surb": world.alice.name,
        "surb": made.record,
        "fragment": hex::encode(encoded_fragment),
        "sphinx_plaintext": hex::encode(payload.as_ref()),
        "sphinx_packet": hex::encode(sphinx_packet),
        "first_hop": first_hop,
        "mix_packet_v1": hex::encode(v1),
        "mix_packet_v2": hex::encode(v2),
        "unwrapped_hops": arrival.hops,
        "destination": hex::encode(arrival.last.destination.as_bytes()),
        "delivered_to_client": hex::encode(delivered),
    }))
}
