//! SURBs of version 260, what their users make of them, and what their creators read.

use crate::line::{ChaCha20Rng, Rng, RngCore, SeedableRng};
use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use sphinx_packet::crypto::{PrivateKey, PublicKey};
use sphinx_packet::header::delays::Delay;
use sphinx_packet::payload::Payload;
use sphinx_packet::route::{Destination, DestinationAddressBytes, Node, NodeAddressBytes};
use sphinx_packet::version::{Version, SINGLE_SEED_SURB_VERSION};
use sphinx_packet::{
    ProcessedPacketData, SURBMaterial, SphinxPacket, SphinxPacketBuilder, SurbReplyRecovery, SURB,
};

const DELAY_LIMIT: u64 = 200_000_000;
const REGULAR_MESSAGE: usize = 2048;
const REGULAR_PAYLOAD: usize = 2065;
const SHORT: usize = 100;
/// Lengths of recovery material that are tried: 16 bytes of identifier, and 16 for each hop.
const RECOVERY_LENGTHS: [usize; 9] = [0, 15, 16, 31, 32, 33, 48, 96, 112];

/// Make the file.
pub fn make(seed: u64) -> Result<Value> {
    let rng = &mut ChaCha20Rng::seed_from_u64(seed);
    let mut surbs = Vec::new();
    for (hops, message, payload) in [
        (4, REGULAR_MESSAGE, REGULAR_PAYLOAD),
        (1, 50, SHORT),
        (3, 0, SHORT),
        (5, 83, SHORT),
    ] {
        surbs.push(surb(rng, hops, message, payload)?);
    }
    let mut packets = Vec::new();
    for (hops, message, payload) in [(4, REGULAR_MESSAGE, REGULAR_PAYLOAD), (3, 40, SHORT)] {
        packets.push(packet(rng, hops, message, payload)?);
    }
    Ok(json!({
        "description": "Sphinx version 260: packets, and SURBs that hold one payload key seed. All \
            byte strings are lower-case hex; 64-bit delays are decimal strings of nanoseconds.",
        "source": "sphinx-packet 0.8.0",
        "set": "public",
        "default_version": Version::default().value(),
        "surbs": surbs,
        "packets": packets,
        "recovery_parse": RECOVERY_LENGTHS.map(parse).to_vec(),
    }))
}

struct Sender {
    keys: Vec<PrivateKey>,
    route: Vec<Node>,
    delays: Vec<Delay>,
    destination: Destination,
    initial_secret: PrivateKey,
    message: Vec<u8>,
}

fn array<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut drawn = [0; N];
    rng.fill_bytes(&mut drawn);
    drawn
}

impl Sender {
    fn draw(rng: &mut ChaCha20Rng, hops: usize, message: usize) -> Self {
        let keys: Vec<_> = (0..hops).map(|_| PrivateKey::from(array(rng))).collect();
        let route = keys
            .iter()
            .map(|key| {
                // An IPv4 address as nym-sphinx-addressing writes it: tag, port, address, padding.
                let mut address = [0; 32];
                address[0] = 4;
                rng.fill_bytes(&mut address[1..7]);
                Node::new(NodeAddressBytes::from_bytes(address), PublicKey::from(key))
            })
            .collect();
        let delays = (0..hops)
            .map(|_| Delay::new_from_nanos(rng.gen_range(0..DELAY_LIMIT)))
            .collect();
        let destination =
            Destination::new(DestinationAddressBytes::from_bytes(array(rng)), array(rng));
        let initial_secret = PrivateKey::from(array(rng));
        let mut drawn = vec![0; message];
        rng.fill_bytes(&mut drawn);
        Self {
            keys,
            route,
            delays,
            destination,
            initial_secret,
            message: drawn,
        }
    }

    fn fields(&self) -> Value {
        let route: Vec<_> = self
            .route
            .iter()
            .zip(&self.keys)
            .map(|(node, key)| {
                json!({
                    "address": hex::encode(node.address.to_bytes()),
                    "private_key": hex::encode(key.to_bytes()),
                    "public_key": hex::encode(node.pub_key.to_bytes()),
                })
            })
            .collect();
        let delays: Vec<_> = self
            .delays
            .iter()
            .map(|delay| delay.to_nanos().to_string())
            .collect();
        json!({
            "version": SINGLE_SEED_SURB_VERSION.value(),
            "initial_secret": hex::encode(self.initial_secret.to_bytes()),
            "route": route,
            "delays_ns": delays,
            "destination": hex::encode(self.destination.address.as_bytes()),
            "identifier": hex::encode(self.destination.identifier),
            "message": hex::encode(&self.message),
        })
    }

    /// The packet at each hop behind the first, and the payload that comes out of the last.
    fn carry(&self, mut packet: SphinxPacket) -> Result<(Vec<String>, Payload)> {
        let mut seen = Vec::new();
        for key in &self.keys {
            match packet.process(key)?.data {
                ProcessedPacketData::ForwardHop {
                    next_hop_packet, ..
                } => {
                    seen.push(hex::encode(next_hop_packet.to_bytes()));
                    packet = next_hop_packet;
                }
                ProcessedPacketData::FinalHop {
                    identifier,
                    payload,
                    ..
                } => {
                    ensure!(
                        identifier == self.destination.identifier,
                        "another identifier"
                    );
                    return Ok((seen, payload));
                }
            }
        }
        bail!("a packet went beyond its last hop")
    }
}

fn surb(rng: &mut ChaCha20Rng, hops: usize, message: usize, payload_size: usize) -> Result<Value> {
    let sender = Sender::draw(rng, hops, message);
    let material = SURBMaterial::new(
        sender.route.clone(),
        sender.delays.clone(),
        sender.destination.clone(),
        SINGLE_SEED_SURB_VERSION,
    );
    let (surb, recovery) = SURB::new_recoverable(sender.initial_secret.clone(), material)?;
    let bytes = surb.to_bytes();
    let count = surb.materials_count();
    let (packet, first_hop) = surb.use_surb(&sender.message, payload_size)?;
    ensure!(first_hop == sender.route[0].address, "another first hop");
    let packet_bytes = packet.to_bytes();
    let (seen, sealed) = sender.carry(packet)?;
    let sealed_bytes = sealed.as_bytes().to_vec();
    let recovered = recovery
        .recover_plaintext(sealed)
        .context("recovering a reply")?;
    ensure!(recovered == sender.message, "another message was recovered");
    let mut fields = sender.fields();
    let more = json!({
        "name": format!("{hops}-hops"),
        "payload_size": payload_size,
        "surb": hex::encode(bytes),
        "materials_count": count,
        "packet": hex::encode(packet_bytes),
        "forwarded": seen,
        "sealed": hex::encode(sealed_bytes),
        "recovery": hex::encode(recovery.to_bytes()),
    });
    merge(&mut fields, more);
    Ok(fields)
}

fn packet(rng: &mut ChaCha20Rng, hops: usize, message: usize, size: usize) -> Result<Value> {
    let sender = Sender::draw(rng, hops, message);
    let packet = SphinxPacketBuilder::new()
        .with_version(SINGLE_SEED_SURB_VERSION)
        .with_payload_size(size)
        .with_initial_secret(&sender.initial_secret)
        .build_packet(
            &sender.message,
            &sender.route,
            &sender.destination,
            &sender.delays,
        )?;
    let bytes = packet.to_bytes();
    let (seen, payload) = sender.carry(packet)?;
    ensure!(
        payload.recover_plaintext()? == sender.message,
        "another message came out"
    );
    let mut fields = sender.fields();
    let more = json!({
        "name": format!("packet-{hops}-hops"),
        "payload_size": size,
        "packet": hex::encode(bytes),
        "forwarded": seen,
    });
    merge(&mut fields, more);
    Ok(fields)
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

fn parse(length: usize) -> Value {
    let found = SurbReplyRecovery::from_bytes(&vec![1; length]);
    json!({
        "length": length,
        "hops": found.as_ref().ok().map(|each| each.num_hops()),
        "error": found.err().map(|error| format!("{:?}", error.kind())),
    })
}
