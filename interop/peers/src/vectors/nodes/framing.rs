//! `sizes`, `rotations` and `header_checks`: the numbers in the header of a frame between nodes.

use anyhow::Result;
use bytes::BytesMut;
use nym_sphinx_framing::codec::NymCodec;
use nym_sphinx_params::{PacketSize, SphinxKeyRotation};
use serde_json::{json, Value};
use tokio_util::codec::Decoder;

const SIZES: [PacketSize; 5] = [
    PacketSize::RegularPacket,
    PacketSize::AckPacket,
    PacketSize::ExtendedPacket32,
    PacketSize::ExtendedPacket8,
    PacketSize::ExtendedPacket16,
];

const ROTATION_IDS: [u32; 10] = [
    0,
    1,
    2,
    3,
    24,
    1717,
    0x8000_0000,
    0xFFFF_FFFD,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
];

/// Headers, and pieces of them, in hexadecimal. None is followed by a packet.
const HEADERS: [&str; 22] = [
    "060100", "00", "090100", "08010003", "08000000", "08060000", "08070000", "080800", "08010100",
    "08010200", "070101", "0801", "080100", "7b010000", "07", "070100", "070600", "0601",
    "08010000", "080100ff", "08ff0000", "ff050002",
];

/// The sizes that packets can have.
pub fn sizes() -> Vec<Value> {
    SIZES
        .iter()
        .map(|size| {
            json!({
                "name": size.to_string(),
                "tag": *size as u8,
                "size": size.size(),
                "payload": size.payload_size(),
                "plaintext": size.plaintext_size(),
            })
        })
        .collect()
}

/// How the number of a key rotation is marked in a frame.
pub fn rotations() -> Vec<Value> {
    ROTATION_IDS
        .iter()
        .map(|id| json!({"id": id, "byte": SphinxKeyRotation::from_key_rotation_id(*id) as u8}))
        .collect()
}

/// What the decoder says to the first bytes of a connection.
pub fn header_checks(complete_frame: &[u8]) -> Result<Vec<Value>> {
    let mut inputs = Vec::new();
    for header in HEADERS {
        inputs.push(hex::decode(header)?);
    }
    let (header, packet) = complete_frame.split_at(4);
    inputs.push(complete_frame.to_vec());
    inputs.push(complete_frame[..complete_frame.len() - 1].to_vec());
    inputs.push([complete_frame, &[8]].concat());
    // Packets of the type outfox are only refused once they are complete.
    let outfox = [&header[..2], &[2, header[3]], packet].concat();
    inputs.push(outfox[..outfox.len() - 1].to_vec());
    inputs.push(outfox);
    Ok(inputs
        .iter()
        .map(|input| json!({"bytes": hex::encode(input), "result": verdict(input)}))
        .collect())
}

fn verdict(input: &[u8]) -> String {
    match NymCodec.decode(&mut BytesMut::from(input)) {
        Ok(Some(_)) => "frame".into(),
        Ok(None) => "incomplete".into(),
        Err(error) => format!("error: {error}"),
    }
}
