//! Section `extension_frames`: frames that nymproxy adds to the protocol of nym-sdk 1.21.6, and the
//! message types of later releases of nym-lp-data. The crates judge whether a 1.21.6 peer minds.

use super::frames::{verdicts, RESERVED_OFFSET, STREAM, TYPE_OFFSET};
use super::sdk::protocol::{encode_stream_message, StreamId};
use anyhow::Result;
use nym_lp_data::packet::frame::SphinxStreamMsgType;
use serde_json::{json, Value};

/// One frame that the published encoder cannot write.
struct Frame {
    name: &'static str,
    message_type: u8,
    sequence: u32,
    /// The byte that the published encoder leaves 0.
    capability: u8,
    payload: Vec<u8>,
}

impl Frame {
    fn new(name: &'static str, message_type: u8, sequence: u32, capability: u8) -> Self {
        Self {
            name,
            message_type,
            sequence,
            capability,
            payload: Vec::new(),
        }
    }

    fn with(self, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            payload: payload.into(),
            ..self
        }
    }

    /// A frame of the published encoder, with two bytes changed.
    fn encode(&self) -> Vec<u8> {
        let id = StreamId::from_u64(STREAM);
        let data = SphinxStreamMsgType::Data;
        let mut frame = encode_stream_message(&id, data, self.sequence, &self.payload);
        frame[TYPE_OFFSET] = self.message_type;
        frame[RESERVED_OFFSET] = self.capability;
        frame
    }
}

/// Make the section.
pub async fn frames() -> Result<Value> {
    let mut cases = Vec::new();
    for frame in all() {
        let mut case = verdicts(&frame.encode()).await?;
        case.insert("name".into(), frame.name.into());
        let fields = json!({
            "stream_id_hex": format!("{STREAM:016x}"),
            "msg_type": frame.message_type,
            "seq": frame.sequence,
            "capability": frame.capability,
            "payload": hex::encode(&frame.payload),
        });
        case.insert("fields".into(), fields);
        cases.push(case);
    }
    Ok(json!({
        "description": "extension frames and the newer upstream message types, with the verdict of \
            the 1.21.6 decoder: router_drops true = ignored harmlessly; for Open/Data the \
            capability byte changes nothing",
        "cases": cases,
    }))
}

fn all() -> Vec<Frame> {
    let refused = [&1u32.to_be_bytes()[..], b"connection refused"].concat();
    vec![
        Frame::new("open_with_capability_byte", 0, 0, 0xa3),
        Frame::new("open_with_capability_and_initial_data", 0, 0, 0xa3).with(*b"hi"),
        Frame::new("open_with_end_signals_only", 0, 0, 0xa1),
        Frame::new("data_with_capability_byte", 1, 3, 0xa3).with(*b"abc"),
        Frame::new("compat_eof_empty_data", 1, 4, 0xa1),
        Frame::new("hello", 0xe0, 0, 0xa3),
        Frame::new("fin", 0xe1, 7, 0xa3),
        Frame::new("fin_at_the_last_number", 0xe1, u32::MAX, 0xa3),
        Frame::new("reset_refused", 0xe2, 7, 0xa3).with(refused),
        Frame::new("reset_without_reason", 0xe2, 7, 0xa1).with(3u32.to_be_bytes()),
        Frame::new("window_1MiB", 0xe3, 2, 0xa3).with((1u64 << 20).to_be_bytes()),
        Frame::new("window_largest", 0xe3, 2, 0xa3).with(u64::MAX.to_be_bytes()),
        Frame::new("probe", 0xe4, 9, 0xa3),
        Frame::new("upstream_openack", 2, 0, 0),
        Frame::new("upstream_ping", 3, 0x0102_0304, 0),
        Frame::new("upstream_pong", 4, 0x0102_0304, 0),
    ]
}
