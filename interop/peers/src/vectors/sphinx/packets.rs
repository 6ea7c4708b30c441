//! Packets and SURBs of every version, with what each node of their routes makes of them.

use super::hops::trace;
use super::secret::Expanded;
use super::sender::Sender;
use crate::line::{self, ChaCha20Rng};
use crate::vectors::support::{join, random};
use anyhow::{ensure, Context, Result};
use nym_sphinx_params::PacketSize;
use serde_json::{json, Value};
use sphinx_packet::header::delays::Delay;
use sphinx_packet::version::{
    INITIAL_LEGACY_VERSION, PAYLOAD_KEYS_SEEDS_VERSION, UPDATED_LEGACY_VERSION,
    X25519_WITH_EXPLICIT_PAYLOAD_KEYS_VERSION,
};
use sphinx_packet::SURB;

const EXPLICIT: u16 = X25519_WITH_EXPLICIT_PAYLOAD_KEYS_VERSION.0;
const SEEDS: u16 = PAYLOAD_KEYS_SEEDS_VERSION.0;
const LEGACY: [u16; 2] = [INITIAL_LEGACY_VERSION.0, UPDATED_LEGACY_VERSION.0];
/// The payload size of the packets that clients do not send, to keep the file small.
const SHORT: usize = 100;

pub fn sections(seed: u64) -> Result<Value> {
    let rng = &mut random(seed, "sphinx packets");
    let mut packets = sizes(rng)?;
    packets.extend(lengths(rng)?);
    packets.extend(extremes(rng)?);
    packets.extend(versions(rng)?);
    let rng = &mut random(seed, "sphinx surbs");
    Ok(json!({"packets": packets, "surbs": surbs(rng)?}))
}

/// Packets as clients send them.
fn sizes(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let mut cases = Vec::new();
    for (label, version, size) in [
        ("regular", EXPLICIT, PacketSize::RegularPacket),
        ("ack", EXPLICIT, PacketSize::AckPacket),
        ("regular", SEEDS, PacketSize::RegularPacket),
        ("ack", SEEDS, PacketSize::AckPacket),
        ("extended8", SEEDS, PacketSize::ExtendedPacket8),
    ] {
        let length = size.plaintext_size();
        let sender = Sender::draw(rng, version, 4, length, size.payload_size())?;
        cases.push(packet(
            &format!("{label}-4hop-v{version}"),
            &format!("{label} packet: {length} byte message, 4 hops"),
            &sender,
        )?);
    }
    Ok(cases)
}

fn lengths(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let routes = [1, 2, 3, 5].map(|hops| (hops, SEEDS));
    let mut cases = Vec::new();
    for (hops, version) in routes.into_iter().chain([(1, EXPLICIT), (5, EXPLICIT)]) {
        let sender = Sender::draw(rng, version, hops, 40 + hops, SHORT)?;
        cases.push(packet(
            &format!("short-{hops}hop-v{version}"),
            "route length variation, message shorter than the payload",
            &sender,
        )?);
    }
    Ok(cases)
}

fn extremes(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let mut markers = Sender::draw(rng, SEEDS, 4, 23, SHORT)?;
    markers.message.extend([1, 0, 1, 0]);
    markers.delays.fill(Delay::new_from_nanos(0));

    let mut empty = Sender::draw(rng, EXPLICIT, 4, 0, 64)?;
    empty.delays = [u64::MAX, 1, 50_000_000, u64::MAX]
        .map(Delay::new_from_nanos)
        .to_vec();

    let full = Sender::draw(rng, SEEDS, 3, 16, 33)?;

    let mut torsion = Sender::draw(rng, SEEDS, 4, 30, SHORT)?;
    for hop in &mut torsion.hops {
        hop.add_small_order_part();
    }
    Ok(vec![
        packet(
            "ends-in-markers",
            "message that itself ends in 01 and 00 bytes, zero delays",
            &markers,
        )?,
        packet("empty-message", "empty message, largest delays", &empty)?,
        packet("smallest", "the smallest payload, filled up", &full)?,
        packet(
            "small-order-keys",
            "public keys with a part of order eight, which the clamped scalars undo",
            &torsion,
        )?,
    ])
}

fn versions(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let mut cases = Vec::new();
    let deprecated = LEGACY.into_iter().filter(|_| line::OLD_FORMATS);
    for version in deprecated {
        let sender = Sender::draw(rng, version, 3, 30, 80)?;
        cases.push(packet(
            &format!("legacy-3hop-v{version}"),
            "deprecated version: unclamped scalar arithmetic; decoding only",
            &sender,
        )?);
    }
    for version in [260, 0, 2, u16::MAX] {
        let sender = Sender::draw(rng, version, 4, 30, SHORT)?;
        cases.push(packet(
            &format!("version-{version}"),
            &format!("version number {version}: built and processed like 259"),
            &sender,
        )?);
    }
    Ok(cases)
}

fn packet(name: &str, description: &str, sender: &Sender) -> Result<Value> {
    let built = sender.build().with_context(|| format!("building {name}"))?;
    let bytes = built.to_bytes();
    let trace = trace(built, &sender.hops).with_context(|| format!("processing {name}"))?;
    let case = json!({
        "name": name,
        "description": description,
        "final_padding": hex::encode(trace.final_padding),
        "sender_expanded_secrets": sender_secrets(sender)?,
        "packet": hex::encode(bytes),
        "hops": trace.hops,
    });
    Ok(join([sender.fields(), case]))
}

/// What the sender's side of the crate derives for each hop; the builder chooses in the same way.
fn sender_secrets(sender: &Sender) -> Result<Vec<String>> {
    let route = sender.route();
    let material = line::key_material(sender.version, &route, &sender.initial_secret);
    material
        .expanded_shared_secrets
        .iter()
        .map(|secret| Ok(hex::encode(Expanded::of(secret)?.bytes())))
        .collect()
}

fn surbs(rng: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let regular = PacketSize::RegularPacket;
    let (message, payload) = (regular.plaintext_size(), regular.payload_size());
    let mut cases = Vec::new();
    for (hops, version, message, payload, description) in [
        (
            4,
            EXPLICIT,
            message,
            payload,
            "4 hop SURB used for a regular packet",
        ),
        (
            4,
            SEEDS,
            message,
            payload,
            "4 hop SURB used for a regular packet",
        ),
        (1, SEEDS, 50, SHORT, "1 hop SURB (mix hops disabled)"),
        (1, EXPLICIT, 50, SHORT, "1 hop SURB (mix hops disabled)"),
        (5, SEEDS, 50, SHORT, "SURB for the longest route"),
        (3, LEGACY[1], 50, SHORT, "SURB of a deprecated version"),
    ] {
        if version != SEEDS && !line::OLD_FORMATS {
            continue;
        }
        let sender = Sender::draw(rng, version, hops, message, payload)?;
        cases.push(surb(
            &format!("surb-{hops}hop-v{version}"),
            description,
            &sender,
        )?);
    }
    Ok(cases)
}

fn surb(name: &str, description: &str, sender: &Sender) -> Result<Value> {
    let material = line::surb_material(
        sender.version,
        sender.route(),
        sender.delays.clone(),
        sender.destination.clone(),
    );
    let surb = SURB::new(sender.initial_secret.clone(), material)
        .with_context(|| format!("making {name}"))?;
    let bytes = surb.to_bytes();
    let surb_fields = json!({
        "name": name,
        "description": description,
        "surb": hex::encode(&bytes),
        "surb_len": bytes.len(),
        "materials_count": surb.materials_count(),
        "uses_key_seeds": line::uses_key_seeds(&surb),
        "first_hop_address": hex::encode(surb.first_hop().to_bytes()),
    });
    let (packet, first_hop) = surb
        .use_surb(&sender.message, sender.payload_size)
        .with_context(|| format!("using {name}"))?;
    ensure!(
        first_hop == sender.hops[0].node.address,
        "{name} leads to another first hop"
    );
    let packet_bytes = packet.to_bytes();
    let trace = trace(packet, &sender.hops).with_context(|| format!("processing {name}"))?;
    let packet_fields = json!({
        "final_padding": hex::encode(trace.final_padding),
        "packet": hex::encode(packet_bytes),
        "hops": trace.hops,
    });
    Ok(join([sender.fields(), surb_fields, packet_fields]))
}
