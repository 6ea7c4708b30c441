//! lp_frames.json: stream frames of nym-lp-data, with the message types that 2.0.0 has added. What
//! the router of nym-sdk makes of them cannot be asked: its version 2.0.0 is not published.

use crate::line::{ChaCha20Rng, Rng, RngCore, CRATES};
use crate::vectors::support::random;
use anyhow::{ensure, Result};
use bytes::BytesMut;
use nym_lp_data::packet::frame::{
    LpFrame, SphinxStreamFrameAttributes, SphinxStreamMsgType as Kind,
};
use serde_json::{json, Value};

/// Where the message type stands in a frame: behind the kind (2) and the stream id (8).
const TYPE_OFFSET: usize = 10;
const KINDS: [(&str, Kind); 5] = [
    ("open", Kind::Open),
    ("data", Kind::Data),
    ("open_ack", Kind::OpenAck),
    ("ping", Kind::Ping),
    ("pong", Kind::Pong),
];

/// Make the file.
pub fn make(seed: u64) -> Result<Value> {
    let rng = &mut random(seed, "lp frames");
    let mut frames = Vec::new();
    for (name, kind) in KINDS {
        frames.push(frame(name, kind, rng.gen(), 0, &[])?);
        frames.push(frame(name, kind, u64::MAX, u32::MAX, &payload(rng))?);
        frames.push(frame(name, kind, rng.gen(), rng.gen(), &payload(rng))?);
    }
    Ok(json!({
        "description": "Stream frames (LpFrame::new_stream), and which message types \
            SphinxStreamFrameAttributes::parse takes. All bytes are lower-case hex.",
        "source": format!("nym-lp-data {CRATES}"),
        "frames": frames,
        "types": (0..=u8::MAX).map(accepted).collect::<Result<Vec<_>>>()?,
    }))
}

fn payload(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut drawn = vec![0; rng.gen_range(1..64)];
    rng.fill_bytes(&mut drawn);
    drawn
}

fn encode(stream_id: u64, msg_type: Kind, sequence_num: u32, payload: &[u8]) -> Vec<u8> {
    let attributes = SphinxStreamFrameAttributes {
        stream_id,
        msg_type,
        sequence_num,
    };
    let mut encoded = BytesMut::new();
    LpFrame::new_stream(attributes, payload.to_vec()).encode(&mut encoded);
    encoded.to_vec()
}

fn frame(name: &str, kind: Kind, stream: u64, sequence: u32, payload: &[u8]) -> Result<Value> {
    let encoded = encode(stream, kind, sequence, payload);
    let read = LpFrame::decode(&encoded)?;
    let attributes = SphinxStreamFrameAttributes::parse(&read.header.frame_attributes)?;
    ensure!(
        attributes.msg_type == kind && read.content == payload,
        "{name} was read as another frame"
    );
    Ok(json!({
        "name": name,
        "stream_id_hex": format!("{stream:016x}"),
        "msg_type": kind as u8,
        "seq": sequence,
        "payload": hex::encode(payload),
        "encoded": hex::encode(encoded),
    }))
}

/// Whether a frame with this message type is one.
fn accepted(msg_type: u8) -> Result<bool> {
    let mut encoded = encode(1, Kind::Data, 0, &[]);
    encoded[TYPE_OFFSET] = msg_type;
    let attributes = LpFrame::decode(&encoded)?.header.frame_attributes;
    Ok(SphinxStreamFrameAttributes::parse(&attributes).is_ok())
}
