//! The section `regular_payloads`: how a fragment is encrypted for its recipient.

use super::acks::surb_ack;
use super::journey::travel;
use super::world::{Client, World};
use super::{Form, AVERAGE_DELAY};
use crate::line::{self, ChaCha20Rng};
use crate::vectors::support::random;
use anyhow::{ensure, Context, Result};
use nym_crypto::asymmetric::x25519;
use nym_crypto::shared_key::recompute_shared_key;
use nym_sphinx::acknowledgements::surb_ack::SurbAck;
use nym_sphinx::addressing::nodes::NymNodeRoutingAddress;
use nym_sphinx::chunking::fragment::Fragment;
use nym_sphinx::forwarding::packet::MixPacket;
use nym_sphinx::message::NymMessage;
use nym_sphinx::params::{PacketEncryptionAlgorithm, PacketHkdfAlgorithm, PacketSize, PacketType};
use nym_sphinx::receiver::{MessageReceiver, SphinxMessageReceiver};
use nym_sphinx::routing::generate_hop_delays;
use nym_sphinx::NymPayloadBuilder;
use serde_json::{json, Value};

/// Make the section `regular_payloads`.
pub fn regular(seed: u64, world: &World) -> Result<Value> {
    let rng = &mut random(seed, "pipeline regular payloads");
    let (alice, bob) = (&world.alice, &world.bob);
    Ok(vec![
        case(rng, world, alice, bob, PacketSize::RegularPacket)?,
        case(rng, world, bob, alice, PacketSize::RegularPacket)?,
        case(rng, world, alice, bob, PacketSize::ExtendedPacket8)?,
    ]
    .into())
}

/// The one fragment of a message that fits into a packet.
pub fn only_fragment(
    rng: &mut ChaCha20Rng,
    message: NymMessage,
    size: PacketSize,
) -> Result<Fragment> {
    let length = message.available_sphinx_plaintext_per_packet(size);
    let mut fragments = message
        .pad_to_full_packet_lengths(length)
        .split_into_fragments(rng, length);
    ensure!(fragments.len() == 1, "the message takes several packets");
    fragments.pop().context("a message has a fragment")
}

fn case(
    rng: &mut ChaCha20Rng,
    world: &World,
    from: &Client,
    to: &Client,
    size: PacketSize,
) -> Result<Value> {
    let message = NymMessage::new_plain(b"hello mixnet".to_vec());
    let fragment = only_fragment(rng, message, size)?;
    let ack = surb_ack(
        rng,
        world,
        from,
        fragment.fragment_identifier(),
        Form::CURRENT,
    )?;
    let encoded_fragment = fragment.clone().into_bytes();
    // The builder draws its ephemeral key first and keeps it to itself.
    let ephemeral = x25519::KeyPair::new(&mut rng.clone());
    let payload =
        NymPayloadBuilder::new(fragment, ack).build_regular(rng, to.encryption.public_key())?;
    let delivered = push(rng, world, to, payload.as_ref(), size)?;

    let opened = SphinxMessageReceiver::new()
        .recover_plaintext_from_regular_packet(to.encryption.private_key(), &mut delivered.clone())?
        .to_vec();
    ensure!(opened == encoded_fragment);
    let (ephemeral_public, recipient) = (ephemeral.public_key(), to.encryption.private_key());
    ensure!(delivered.starts_with(ephemeral_public.as_bytes()));
    let key = recompute_shared_key::<PacketEncryptionAlgorithm, PacketHkdfAlgorithm>(
        ephemeral_public,
        recipient,
    );
    Ok(json!({
        "from": from.name,
        "to": to.name,
        "packet_size": size.to_string(),
        "fragment": hex::encode(encoded_fragment),
        "ephemeral_private": hex::encode(ephemeral.private_key().to_bytes()),
        "ephemeral_public": hex::encode(ephemeral_public.to_bytes()),
        "dh_shared_secret": hex::encode(recipient.diffie_hellman(ephemeral_public)),
        "derived_key": hex::encode(key),
        "surb_ack_bytes": hex::encode(&payload.as_ref()[..SurbAck::len(Some(PacketType::Mix))]),
        "sphinx_plaintext": hex::encode(payload.as_ref()),
        "delivered_to_client": hex::encode(delivered),
    }))
}

/// What the recipient's gateway pushes when such a payload arrives there.
fn push(
    rng: &mut ChaCha20Rng,
    world: &World,
    to: &Client,
    payload: &[u8],
    size: PacketSize,
) -> Result<Vec<u8>> {
    let route = world
        .routes
        .random_route_to_egress(rng, to.address.gateway())?;
    let first_hop = route.first().context("a route has a node")?.address;
    let packet = line::build_packet(
        size.payload_size(),
        payload,
        &route,
        &to.address.as_sphinx_destination(),
        &generate_hop_delays(AVERAGE_DELAY, route.len()),
    )?;
    let mix_packet = MixPacket::new(
        NymNodeRoutingAddress::try_from(first_hop)?,
        packet,
        PacketType::Mix,
        world.key_rotation(),
    );
    Ok(travel(world, mix_packet)?.last.message)
}
