//! Stream frames, as `encode_stream_message` writes them and as `LpFrameHeader` and the router of
//! nym-sdk read them.

use super::sdk::protocol::{decode_stream_message, encode_stream_message, StreamId};
use super::sdk::router;
use crate::line::{ChaCha20Rng, Rng, RngCore};
use anyhow::{ensure, Result};
use nym_lp_data::packet::frame::{
    LpFrameAttributes, LpFrameHeader, SphinxStreamFrameAttributes, SphinxStreamMsgType,
};
use nym_sdk::tcp_proxy::{Payload, ProxiedMessage};
use serde_json::{json, Map, Value};
use uuid::Uuid;
use SphinxStreamMsgType::{Data, Open};

/// The id of most cases: every byte tells its place.
pub const STREAM: u64 = 0x0011_2233_4455_6677;
/// Byte of the message type: behind the kind (2) and the stream id (8).
pub const TYPE_OFFSET: usize = 10;
/// The last byte of the header, which nym-lp-data reserves: writes 0, and reads nothing.
pub const RESERVED_OFFSET: usize = LpFrameHeader::SIZE - 1;

/// Section `lp_frame_encode`.
pub fn encoded(random: &mut ChaCha20Rng) -> Value {
    let mut cases = vec![
        encode_case("open_empty", STREAM, Open, 0, b""),
        encode_case("open_initial_data", STREAM, Open, 0, b"early"),
        encode_case("open_seq_1", STREAM, Open, 1, &[0xaa]),
        encode_case("data_first", STREAM, Data, 0, b"hello stream"),
        encode_case("data_second", STREAM, Data, 1, &[0x00, 0xff, 0x10]),
        encode_case("data_empty", 1, Data, 2, b""),
        encode_case("data_seq_max", random.gen(), Data, u32::MAX, b"z"),
        encode_case("id_zero", 0, Open, 0, b""),
        encode_case("id_max", u64::MAX, Data, 1 << 31, b"far"),
    ];
    for number in 0..4 {
        let mut payload = vec![0; random.gen_range(1..200)];
        random.fill_bytes(&mut payload);
        let kind = if random.gen() { Open } else { Data };
        let name = format!("random_{number}");
        cases.push(encode_case(
            &name,
            random.gen(),
            kind,
            random.gen(),
            &payload,
        ));
    }
    json!({"description": "encode_stream_message", "cases": cases})
}

fn encode_case(
    name: &str,
    stream: u64,
    kind: SphinxStreamMsgType,
    sequence: u32,
    payload: &[u8],
) -> Value {
    let id = StreamId::from_u64(stream);
    json!({
        "name": name,
        "stream_id_hex": format!("{stream:016x}"),
        "display_id": id.to_string(),
        "msg_type": kind as u8,
        "seq": sequence,
        "payload": hex::encode(payload),
        "encoded": hex::encode(encode_stream_message(&id, kind, sequence, payload)),
    })
}

/// Section `lp_frame_decode`.
pub async fn decoded(random: &mut ChaCha20Rng) -> Result<Value> {
    let mut cases = Vec::new();
    for (name, input) in inputs(random)? {
        let mut case = verdicts(&input).await?;
        case.insert("name".into(), name.into());
        cases.push(case);
    }
    Ok(json!({
        "description": "LpFrameHeader::parse, SphinxStreamFrameAttributes::parse and \
            decode_stream_message; router_drops = the 1.21.6 stream router ignores the message",
        "cases": cases,
    }))
}

/// What the crates make of a message: its bytes, both halves of its header, the frame, and whether
/// the router drops it.
pub async fn verdicts(input: &[u8]) -> Result<Map<String, Value>> {
    let frame = decode_stream_message(input);
    let drops = router::drops(input).await?;
    ensure!(
        drops == frame.is_none(),
        "the router and the decoder of nym-sdk differ on {}",
        hex::encode(input)
    );
    let frame = frame.map(|frame| {
        json!({
            "stream_id_hex": format!("{:016x}", frame.stream_id.as_u64()),
            "msg_type": frame.msg_type as u8,
            "seq": frame.sequence_num,
            "payload": hex::encode(frame.data),
        })
    });
    Ok(Map::from_iter([
        ("input".into(), hex::encode(input).into()),
        ("header".into(), header(input)),
        ("stream_frame".into(), frame.into()),
        ("router_drops".into(), drops.into()),
    ]))
}

fn header(input: &[u8]) -> Value {
    match LpFrameHeader::parse(input) {
        Ok(header) => json!({
            "kind": header.kind as u16,
            "attributes": hex::encode(header.frame_attributes),
            "stream_attributes": stream_attributes(&header.frame_attributes),
        }),
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn stream_attributes(attributes: &LpFrameAttributes) -> Value {
    match SphinxStreamFrameAttributes::parse(attributes) {
        Ok(read) => json!({
            "stream_id_hex": format!("{:016x}", read.stream_id),
            "msg_type": read.msg_type as u8,
            "seq": read.sequence_num,
        }),
        Err(error) => json!({"error": error.to_string()}),
    }
}

/// Named messages: a valid frame, each way to spoil one, other messages of the SDK, and noise.
fn inputs(random: &mut ChaCha20Rng) -> Result<Vec<(String, Vec<u8>)>> {
    let valid = encode_stream_message(&StreamId::from_u64(STREAM), Data, 5, b"pay");
    let mut inputs = vec![
        ("valid".into(), valid.clone()),
        ("empty".into(), Vec::new()),
        (
            "fifteen_bytes".into(),
            valid[..LpFrameHeader::SIZE - 1].to_vec(),
        ),
        (
            "sixteen_bytes_header_only".into(),
            valid[..LpFrameHeader::SIZE].to_vec(),
        ),
    ];
    for kind in [2, 3, 4, 5, 70, 128, 255] {
        inputs.push((
            format!("msg_type_{kind}"),
            changed(&valid, TYPE_OFFSET, kind),
        ));
    }
    for byte in [1, 70, 255] {
        let name = format!("reserved_byte_{byte}_is_ignored");
        inputs.push((name, changed(&valid, RESERVED_OFFSET, byte)));
    }
    for kind in [0u16, 1, 2, 4, 5, 768, 65535] {
        let mut input = valid.clone();
        input[..2].copy_from_slice(&kind.to_le_bytes());
        inputs.push((format!("frame_kind_{kind}"), input));
    }
    inputs.extend(proxied_messages()?);
    for number in 0..4 {
        let mut noise = vec![0; random.gen_range(LpFrameHeader::SIZE..64)];
        random.fill_bytes(&mut noise);
        inputs.push((format!("noise_{number}"), noise.clone()));
        noise[..2].copy_from_slice(&valid[..2]);
        inputs.push((format!("noise_{number}_as_stream_frame"), noise));
    }
    Ok(inputs)
}

fn changed(frame: &[u8], offset: usize, byte: u8) -> Vec<u8> {
    let mut changed = frame.to_vec();
    changed[offset] = byte;
    changed
}

/// Messages of the TcpProxy, which begin like frames of other kinds.
fn proxied_messages() -> Result<[(String, Vec<u8>); 2]> {
    let session = Uuid::from_u128(0x0011_2233_4455_4677_8899_aabb_ccdd_eeff);
    let data = ProxiedMessage::new(Payload::Data(b"abc".to_vec()), session, 5);
    let close = ProxiedMessage::new(Payload::Close, session, 6);
    Ok([
        ("proxied_message_data".into(), bincode::serialize(&data)?),
        ("proxied_message_close".into(), bincode::serialize(&close)?),
    ])
}
