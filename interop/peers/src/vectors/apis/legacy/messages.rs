//! `proxied_message_encode` and `proxied_message_decode`: `ProxiedMessage` by way of bincode.
//!
//! Both proxies call `bincode::serialize` and `bincode::deserialize` with the defaults.

use crate::line::{Rng, RngCore};
use crate::vectors::support::{join, random};
use anyhow::{Context, Result};
use bytes::BytesMut;
use nym_lp_data::packet::frame::{LpFrame, SphinxStreamFrameAttributes, SphinxStreamMsgType};
use nym_sdk::tcp_proxy::{Payload, ProxiedMessage};
use serde_json::{json, Value};
use uuid::{Builder, Uuid};

const SESSION: Uuid = Uuid::from_u128(0x00112233_4455_4677_8899_aabbccddeeff);

type Input = (String, Vec<u8>);

/// Messages and what they are encoded as.
pub fn encode_section(seed: u64) -> Result<Value> {
    let cases = messages(seed)
        .into_iter()
        .map(|(name, message)| encode(name, &message))
        .collect::<Result<Vec<_>>>()?;
    Ok(json!({
        "description": "bincode::serialize of ProxiedMessage; decoding the 'encoded' bytes gives \
            the other fields back",
        "cases": cases,
    }))
}

/// Inputs, most of them malformed, and what the decoder makes of them.
pub fn decode_section(seed: u64) -> Result<Value> {
    let data = bincode::serialize(&proxied(b"abc", SESSION, 5))?;
    let close = bincode::serialize(&ProxiedMessage::new(Payload::Close, SESSION, 6))?;
    let inputs = [
        whole(&data, &close),
        truncated(&data, &close),
        altered(&data, &close),
        foreign(seed),
    ];
    let cases: Vec<Value> = inputs.into_iter().flatten().map(decode).collect();
    Ok(json!({
        "description": "bincode::deserialize of ProxiedMessage: verdict and error text of the \
            Rust decoder (error text is informative)",
        "cases": cases,
    }))
}

fn messages(seed: u64) -> Vec<(&'static str, ProxiedMessage)> {
    let mut rng = random(seed, "proxied_message_encode");
    let other = Builder::from_random_bytes(rng.gen()).into_uuid();
    let custom = Builder::from_custom_bytes(rng.gen()).into_uuid();
    let [mut chunk, mut large] = [vec![0; 8192], vec![0; 10_000]];
    rng.fill_bytes(&mut chunk);
    rng.fill_bytes(&mut large);
    let close = |session, id| ProxiedMessage::new(Payload::Close, session, id);
    vec![
        ("data_empty", proxied(b"", SESSION, 1)),
        ("data_short", proxied(b"hello", SESSION, 1)),
        ("data_id_zero", proxied(b"\xff", SESSION, 0)),
        ("data_max_id", proxied(b"last", other, u16::MAX)),
        ("data_largest_chunk", proxied(&chunk, other, 3)),
        ("data_10kB", proxied(&large, other, 0x0102)),
        ("close", close(SESSION, 2)),
        ("close_of_an_empty_session", close(other, 1)),
        ("close_max_id", close(other, u16::MAX)),
        ("nil_uuid", proxied(&[1, 2, 3], Uuid::nil(), 7)),
        ("max_uuid", proxied(&[1, 2, 3], Uuid::max(), 7)),
        ("uuid_version_8", proxied(b"v8", custom, 0)),
    ]
}

fn proxied(data: &[u8], session: Uuid, message_id: u16) -> ProxiedMessage {
    ProxiedMessage::new(Payload::Data(data.to_vec()), session, message_id)
}

fn encode(name: &str, message: &ProxiedMessage) -> Result<Value> {
    let encoded = bincode::serialize(message)?;
    let decoded = bincode::deserialize(&encoded).with_context(|| format!("decoding {name}"))?;
    let about = json!({
        "name": name,
        "encoded": hex::encode(&encoded),
        "encoded_len": encoded.len(),
        "session_id_bytes": hex::encode(message.session_id().as_bytes()),
        "display": message.to_string(),
    });
    Ok(join([about, fields(&decoded)]))
}

fn decode((name, input): Input) -> Value {
    let about = json!({"name": name, "input": hex::encode(&input)});
    let verdict = match bincode::deserialize::<ProxiedMessage>(&input) {
        Ok(message) => join([json!({"ok": true}), fields(&message)]),
        Err(error) => json!({"ok": false, "error": error.to_string()}),
    };
    join([about, verdict])
}

fn fields(message: &ProxiedMessage) -> Value {
    let (kind, data) = match message.message() {
        Payload::Data(data) => ("data", Some(hex::encode(data))),
        Payload::Close => ("close", None),
    };
    json!({
        "kind": kind,
        "data": data,
        "session_id": message.session_id().to_string(),
        "message_id": message.message_id(),
    })
}

/// Messages as they are, and with something behind them.
fn whole(data: &[u8], close: &[u8]) -> Vec<Input> {
    vec![
        ("valid_data".into(), data.to_vec()),
        ("valid_close".into(), close.to_vec()),
        (
            "trailing_bytes_are_accepted".into(),
            [data, b"\xde\xad"].concat(),
        ),
        // What nymproxy's server appends to its messages; an old client has to read past it.
        (
            "data_with_nyp1_trailer".into(),
            [data, b"NYP1\x01"].concat(),
        ),
        (
            "close_with_nyp1_trailer".into(),
            [close, b"NYP1\x01"].concat(),
        ),
        (
            "close_trailing_bytes_are_accepted".into(),
            [close, &[1; 40]].concat(),
        ),
        ("two_messages".into(), [data, close].concat()),
    ]
}

/// All that is too short.
fn truncated(data: &[u8], close: &[u8]) -> Vec<Input> {
    let of_data = (1..data.len()).map(|n| (format!("data_truncated_to_{n}"), data[..n].to_vec()));
    let of_close =
        (1..close.len()).map(|n| (format!("close_truncated_to_{n}"), close[..n].to_vec()));
    let empty = ("empty_input".to_owned(), vec![]);
    [empty].into_iter().chain(of_data).chain(of_close).collect()
}

/// Other numbers of the variant and other lengths. In `data` the length of the data is at 4, and
/// that of the UUID at 15; in `close` the UUID's is at 4.
fn altered(data: &[u8], close: &[u8]) -> Vec<Input> {
    let length = |message, at, length: u64| replaced(message, at, &length.to_le_bytes());
    let longer = [close, b"\0"].concat();
    vec![
        ("unknown_variant_2".into(), replaced(data, 0, &[2])),
        ("variant_high_byte_set".into(), replaced(data, 3, &[1])),
        ("variant_u32_max".into(), replaced(data, 0, &[0xff; 4])),
        ("data_named_close".into(), replaced(data, 0, &[1])),
        ("close_named_data".into(), replaced(close, 0, &[0])),
        ("data_length_too_short".into(), length(data, 4, 2)),
        ("data_length_1_too_long".into(), length(data, 4, 4)),
        ("data_length_too_long".into(), length(data, 4, 200)),
        (
            "data_length_u32_max".into(),
            length(data, 4, u32::MAX.into()),
        ),
        ("data_length_u64_max".into(), length(data, 4, u64::MAX)),
        ("data_uuid_length_15".into(), length(data, 15, 15)),
        (
            "data_uuid_length_u64_max".into(),
            length(data, 15, u64::MAX),
        ),
        ("uuid_length_0".into(), length(close, 4, 0)),
        ("uuid_length_15".into(), length(close, 4, 15)),
        ("uuid_length_17".into(), length(&longer, 4, 17)),
        ("uuid_length_u64_max".into(), length(close, 4, u64::MAX)),
    ]
}

fn replaced(message: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = message.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

/// What else may come to the same Nym address: text, noise, and the frames of the Stream module.
fn foreign(seed: u64) -> Vec<Input> {
    let mut rng = random(seed, "proxied_message_decode");
    let mut noise = vec![0; 64];
    rng.fill_bytes(&mut noise);
    let stream = |stream_id, msg_type, content: &[u8]| {
        let attributes = SphinxStreamFrameAttributes {
            stream_id,
            msg_type,
            sequence_num: 0,
        };
        frame_bytes(&LpFrame::new_stream(attributes, content.to_vec()))
    };
    vec![
        (
            "ascii_text".into(),
            b"hello from a plain mixnet client".to_vec(),
        ),
        ("noise".into(), noise),
        ("zeros".into(), vec![0; 64]),
        (
            "lp_stream_frame".into(),
            stream(1, SphinxStreamMsgType::Data, b"x"),
        ),
        (
            "lp_stream_frame_long".into(),
            stream(rng.gen(), SphinxStreamMsgType::Open, &[0; 64]),
        ),
        (
            "lp_opaque_frame".into(),
            frame_bytes(&LpFrame::new_opaque(vec![0x10; 64])),
        ),
        (
            "lp_registration_frame".into(),
            frame_bytes(&LpFrame::new_registration(vec![0; 64])),
        ),
    ]
}

fn frame_bytes(frame: &LpFrame) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes.to_vec()
}
