//! `hops`: packets that a node after the other unwraps, each from the frame that the one before it
//! sent, as `nym_sphinx_framing::processing` does it in the node.

mod route;

use crate::line::{self, ChaCha20Rng, RngCore};
use anyhow::{ensure, Context, Result};
use bytes::BytesMut;
use nym_sphinx_acknowledgements::identifier::prepare_identifier;
use nym_sphinx_acknowledgements::surb_ack::SurbAck;
use nym_sphinx_acknowledgements::AckKey;
use nym_sphinx_framing::codec::NymCodec;
use nym_sphinx_framing::packet::FramedNymPacket;
use nym_sphinx_framing::processing::{
    MixProcessingResultData, PartiallyUnwrappedPacket, ProcessedFinalHop,
};
use nym_sphinx_params::{PacketSize, PacketType, SphinxKeyRotation};
use nym_sphinx_types::{
    Delay, Destination, DestinationAddressBytes, NymPacket, PrivateKey, SphinxPacketBuilder,
    X25519_WITH_EXPLICIT_PAYLOAD_KEYS_VERSION,
};
use route::MixNode;
use serde_json::{json, Value};
use tokio_util::codec::{Decoder, Encoder};

/// A packet to be made and followed.
struct Case {
    description: &'static str,
    size: PacketSize,
    rotation: SphinxKeyRotation,
    /// Frames of version 7, which do not carry the key rotation.
    initial_frames: bool,
    /// The Sphinx format before payload key seeds.
    explicit_payload_keys: bool,
    addresses: &'static [&'static str],
    delays_ns: &'static [u64],
    /// Bytes of the message behind the ack; without a number it fills the packet.
    message_length: Option<usize>,
}

const FOUR_NODES: &[&str] = &[
    "127.0.0.1:10001",
    "127.0.0.1:10002",
    "127.0.0.1:10003",
    "127.0.0.1:10004",
];

const CASES: [Case; 5] = [
    Case {
        description: "regular packet, four hops, v8 frames, even rotation",
        size: PacketSize::RegularPacket,
        rotation: SphinxKeyRotation::EvenRotation,
        initial_frames: false,
        explicit_payload_keys: false,
        addresses: FOUR_NODES,
        delays_ns: &[15_000_000, 1, 0, 0],
        message_length: None,
    },
    ACK_CASE,
    Case {
        description: "extended8 packet, IPv6, v8 frames, odd rotation, a delay of an hour",
        size: PacketSize::ExtendedPacket8,
        rotation: SphinxKeyRotation::OddRotation,
        initial_frames: false,
        explicit_payload_keys: false,
        addresses: &[
            "[2001:db8::1]:1789",
            "192.0.2.7:65535",
            "[2001:db8:0:1::ff]:1",
            "[::1]:1789",
        ],
        delays_ns: &[3_600_000_000_000, 10_000_000_000, 9_999_999_999, 0],
        message_length: None,
    },
    Case {
        description: "regular packet with explicit payload keys, v7 frames, short message",
        size: PacketSize::RegularPacket,
        rotation: SphinxKeyRotation::Unknown,
        initial_frames: true,
        explicit_payload_keys: true,
        addresses: FOUR_NODES,
        delays_ns: &[50_000_000, 123_456_789, 2, 0],
        message_length: Some(17),
    },
    Case {
        description: "regular packet, no mix nodes, v8 frames, unknown rotation, empty message",
        size: PacketSize::RegularPacket,
        rotation: SphinxKeyRotation::Unknown,
        initial_frames: false,
        explicit_payload_keys: false,
        addresses: &["127.0.0.1:10004"],
        delays_ns: &[0],
        message_length: Some(0),
    },
];

const ACK_CASE: Case = Case {
    description: "ack packet, four hops, v7 frames",
    size: PacketSize::AckPacket,
    rotation: SphinxKeyRotation::Unknown,
    initial_frames: true,
    explicit_payload_keys: false,
    addresses: FOUR_NODES,
    delays_ns: &[5, 6, 7, 0],
    message_length: None,
};

/// The section.
pub fn make(random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    CASES
        .iter()
        .filter(|case| line::OLD_FORMATS || !case.explicit_payload_keys)
        .map(|case| case.follow(random).context(case.description))
        .collect()
}

/// A frame of version 8 with a packet that some node would take.
pub fn ack_frame(random: &mut ChaCha20Rng) -> Result<Vec<u8>> {
    let nodes = route::nodes(ACK_CASE.addresses, random)?;
    let packet = ACK_CASE.packet(&nodes, random, &[])?;
    encode(FramedNymPacket::new(
        packet,
        PacketType::Mix,
        SphinxKeyRotation::EvenRotation,
        false,
    ))
}

impl Case {
    fn follow(&self, random: &mut ChaCha20Rng) -> Result<Value> {
        let nodes = route::nodes(self.addresses, random)?;
        let has_ack = !matches!(self.size, PacketSize::AckPacket);
        let ack_nodes = route::nodes(self.addresses, random)?;
        let ack = if has_ack {
            route::surb_ack(&ack_nodes, self.explicit_payload_keys, random)?
        } else {
            Vec::new()
        };
        let packet = self.packet(&nodes, random, &ack)?;
        let framed =
            FramedNymPacket::new(packet, PacketType::Mix, self.rotation, self.initial_frames);
        let way = self.unwrap_at(&nodes, encode(framed)?)?;
        let ack_steps = match way.ack_frame {
            Some(frame) => Some(self.unwrap_at(&ack_nodes, frame)?.steps),
            None => None,
        };
        Ok(json!({
            "description": self.description,
            "packet_size_tag": self.size as u8,
            "rotation": self.rotation as u8,
            "frame_version": if self.initial_frames { 7 } else { 8 },
            "nodes": route::describe(&nodes)?,
            "steps": way.steps,
            "ack_nodes": route::describe(&ack_nodes)?,
            "ack_steps": ack_steps,
        }))
    }

    fn packet(&self, nodes: &[MixNode], random: &mut ChaCha20Rng, ack: &[u8]) -> Result<NymPacket> {
        let plaintext = if matches!(self.size, PacketSize::AckPacket) {
            let key = AckKey::new(random);
            prepare_identifier(random, &key, [0, 0, 0, 1, 1])
        } else {
            let room = self.size.plaintext_size() - SurbAck::len(None);
            let mut message = vec![0; self.message_length.unwrap_or(room)];
            random.fill_bytes(&mut message);
            [ack, &message].concat()
        };
        let mut secret = [0; 32];
        random.fill_bytes(&mut secret);
        let mut destination = [0; 32];
        random.fill_bytes(&mut destination);
        let route = nodes.iter().map(MixNode::hop).collect::<Result<Vec<_>>>()?;
        let delays: Vec<_> = self
            .delays_ns
            .iter()
            .map(|ns| Delay::new_from_nanos(*ns))
            .collect();
        let packet = SphinxPacketBuilder::new()
            .with_payload_size(self.size.payload_size())
            .with_version(if self.explicit_payload_keys {
                X25519_WITH_EXPLICIT_PAYLOAD_KEYS_VERSION
            } else {
                line::SENT_VERSION
            })
            .with_initial_secret(&PrivateKey::from(secret))
            .build_packet(
                plaintext,
                &route,
                &Destination::new(DestinationAddressBytes::from_bytes(destination), [0; 16]),
                &delays,
            )?;
        Ok(NymPacket::Sphinx(packet))
    }

    fn unwrap_at(&self, nodes: &[MixNode], first_frame: Vec<u8>) -> Result<Way> {
        let mut frame = first_frame;
        let mut steps = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let partial = PartiallyUnwrappedPacket::new(decode(&frame)?, node.key())
                .map_err(|(_, error)| error)?;
            let replay_tag = partial
                .replay_tag()
                .context("a packet without a replay tag")?;
            let mut step = json!({
                "node": index,
                "frame_in": hex::encode(&frame),
                "replay_tag": hex::encode(replay_tag),
            });
            let result = partial.finalise_unwrapping()?;
            step["sphinx_version"] = json!(result.packet_version.to_string());
            match result.processing_data {
                MixProcessingResultData::ForwardHop { packet, delay } => {
                    step["kind"] = json!("forward");
                    step["next_hop"] = json!(packet.next_hop().to_string());
                    step["delay_ns"] = json!(delay.context("a hop without a delay")?.to_nanos());
                    steps.push(step);
                    frame = encode(FramedNymPacket::from_mix_packet(
                        packet,
                        self.initial_frames,
                    ))?;
                }
                MixProcessingResultData::FinalHop { final_hop_data } => {
                    ensure!(
                        index + 1 == nodes.len(),
                        "a final hop before the end of the route"
                    );
                    let ack_frame = self.finish(&mut step, final_hop_data)?;
                    steps.push(step);
                    return Ok(Way { steps, ack_frame });
                }
            }
        }
        anyhow::bail!("the last node of the route found a forward hop")
    }

    /// Describe a final hop, and return the frame with the ack that the last node releases.
    fn finish(&self, step: &mut Value, hop: ProcessedFinalHop) -> Result<Option<Vec<u8>>> {
        step["kind"] = json!("final");
        step["destination"] = json!(hex::encode(hop.destination.as_bytes()));
        step["message"] = json!(hex::encode(&hop.message));
        step["ack"] = Value::Null;
        let Some(ack) = hop.forward_ack else {
            return Ok(None);
        };
        let next_hop = ack.next_hop().to_string();
        let frame = encode(FramedNymPacket::from_mix_packet(ack, self.initial_frames))?;
        step["ack"] = json!({"next_hop": next_hop, "frame": hex::encode(&frame)});
        Ok(Some(frame))
    }
}

/// What happened to a packet.
struct Way {
    steps: Vec<Value>,
    ack_frame: Option<Vec<u8>>,
}

fn encode(packet: FramedNymPacket) -> Result<Vec<u8>> {
    let mut frame = BytesMut::new();
    NymCodec.encode(packet, &mut frame)?;
    Ok(frame.to_vec())
}

fn decode(frame: &[u8]) -> Result<FramedNymPacket> {
    NymCodec
        .decode(&mut BytesMut::from(frame))?
        .context("an incomplete frame")
}
