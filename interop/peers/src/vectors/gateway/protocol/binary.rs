//! Binary messages: packets to forward, and messages pushed to the client.

use super::packets::packet;
use crate::line::{ChaCha20Rng, Rng};
use anyhow::{bail, ensure, Result};
use nym_gateway_requests::{
    BinaryRequest, BinaryRequestKind, BinaryResponse, GatewayRequestsError, SharedSymmetricKey,
};
use nym_sphinx_forwarding::packet::MixPacket;
use nym_sphinx_params::{PacketSize, SphinxKeyRotation};
use serde_json::{json, Value};

/// Kind and encryption flag stand before the nonce.
const NONCE: std::ops::Range<usize> = 2..14;

/// The four sections about them.
pub fn sections(key: &SharedSymmetricKey, random: &mut ChaCha20Rng) -> Result<Value> {
    Ok(json!({
        "binary_requests": requests(key, random)?,
        "binary_request_parsing": request_parsing(key, random)?,
        "binary_responses": responses(key, random)?,
        "binary_response_parsing": response_parsing(key, random)?,
    }))
}

fn requests(key: &SharedSymmetricKey, random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    use BinaryRequestKind::{ForwardSphinx, ForwardSphinxV2};
    use SphinxKeyRotation::{EvenRotation, OddRotation, Unknown};

    let (regular, ack) = (PacketSize::RegularPacket, PacketSize::AckPacket);
    let cases = [
        (ForwardSphinxV2, "203.0.113.7:1789", regular, OddRotation),
        (ForwardSphinx, "203.0.113.8:65535", regular, Unknown),
        (ForwardSphinxV2, "[2001:db8::1]:1789", ack, EvenRotation),
        (ForwardSphinx, "[2001:db8::2]:1", ack, Unknown),
    ];
    cases
        .into_iter()
        .map(|(kind, hop, size, rotation)| request(key, kind, packet(hop, size, rotation, random)?))
        .collect()
}

fn plaintext(kind: BinaryRequestKind, packet: MixPacket) -> Result<Vec<u8>> {
    Ok(match kind {
        BinaryRequestKind::ForwardSphinx => packet.into_v1_bytes()?,
        BinaryRequestKind::ForwardSphinxV2 => packet.into_v2_bytes()?,
        other => bail!("what is a {other:?}?"),
    })
}

fn request(key: &SharedSymmetricKey, kind: BinaryRequestKind, packet: MixPacket) -> Result<Value> {
    let sphinx = packet.packet().to_bytes()?;
    let mut case = json!({
        "kind": format!("{kind:?}"),
        "key_rotation": packet.key_rotation() as u8,
        "next_hop": packet.next_hop_address().to_string(),
        "packet_size": PacketSize::get_type(sphinx.len())?.to_string(),
        "packet_type": packet.packet_type() as u8,
        "sphinx_packet": hex::encode(sphinx),
    });
    let plaintext = plaintext(kind, packet)?;
    let request = BinaryRequest::from_plaintext(kind, &plaintext)?;
    let message = request.into_ws_message(key)?.into_data();
    case["plaintext"] = hex::encode(plaintext).into();
    case["nonce"] = hex::encode(&message[NONCE]).into();
    case["ws_binary_message"] = hex::encode(message).into();
    Ok(case)
}

/// A message with a kind and a content of our choice, sealed as it should be.
fn sealed(
    key: &SharedSymmetricKey,
    kind: u8,
    plaintext: &[u8],
    random: &mut ChaCha20Rng,
) -> Result<Vec<u8>> {
    let nonce: [u8; 12] = random.gen();
    let ciphertext = key.encrypt(plaintext, &SharedSymmetricKey::validate_aead_nonce(&nonce)?)?;
    Ok([&[kind, 1][..], &nonce, &ciphertext].concat())
}

fn request_parsing(key: &SharedSymmetricKey, random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let (hop, size) = ("10.0.0.1:1789", PacketSize::AckPacket);
    let mut encoded = |kind, rotation| plaintext(kind, packet(hop, size, rotation, random)?);
    let v1 = encoded(BinaryRequestKind::ForwardSphinx, SphinxKeyRotation::Unknown)?;
    let v2 = encoded(
        BinaryRequestKind::ForwardSphinxV2,
        SphinxKeyRotation::EvenRotation,
    )?;
    let with = |place: usize, value: u8| {
        let mut changed = v2.clone();
        changed[place] = value;
        changed
    };
    let longer = [&v2[..], &[0]].concat();
    let contents = [
        ("valid v2", 2, v2.clone()),
        ("valid v1", 1, v1.clone()),
        ("rotation 0", 2, with(1, 0)),
        ("bad rotation 3", 2, with(1, 3)),
        ("packet type 1", 2, with(0, 1)),
        ("packet type 2 outfox", 2, with(0, 2)),
        ("address version 5", 2, with(2, 5)),
        ("packet one byte short", 2, v2[..v2.len() - 1].to_vec()),
        ("packet one byte long", 2, longer),
        ("two bytes", 2, v2[..2].to_vec()),
        ("v2 body sent with kind 1", 1, v2.clone()),
        ("v1 body sent with kind 2", 2, v1),
        ("kind 0", 0, v2.clone()),
        ("kind 3", 3, v2.clone()),
    ];
    let mut cases = Vec::new();
    for (name, kind, plaintext) in contents {
        let raw = sealed(key, kind, &plaintext, random)?;
        let mut case = parsed_request(key, name, raw);
        case["plaintext"] = hex::encode(plaintext).into();
        cases.push(case);
    }
    let clear = [&[2, 0][..], &[0; 12], &v2].concat();
    cases.push(parsed_request(key, "flag 0: in the clear", clear));
    let frame = sealed(key, 2, &v2, random)?;
    for (name, raw) in malformed(&frame) {
        cases.push(parsed_request(key, name, raw));
    }
    ensure!(cases[0]["ok"] == json!(true), "the valid request is not");
    Ok(cases)
}

fn parsed_request(key: &SharedSymmetricKey, name: &str, raw: Vec<u8>) -> Value {
    let verdict = BinaryRequest::try_from_encrypted_tagged_bytes(raw.clone(), key);
    let packet = verdict.and_then(|request| match request {
        BinaryRequest::ForwardSphinx { packet } => Ok(packet),
        BinaryRequest::ForwardSphinxV2 { packet } => Ok(packet),
        _ => Err(GatewayRequestsError::Other(
            "a request without packet".into(),
        )),
    });
    match packet {
        Ok(packet) => json!({
            "name": name,
            "raw": hex::encode(raw),
            "ok": true,
            "next_hop": packet.next_hop_address().to_string(),
            "key_rotation": packet.key_rotation() as u8,
            "packet_len": packet.packet().len(),
        }),
        Err(error) => json!({
            "name": name,
            "raw": hex::encode(raw),
            "ok": false,
            "error": error.to_string(),
        }),
    }
}

fn responses(key: &SharedSymmetricKey, random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    // What is pushed of an ack, what is pushed of a regular packet, and something short.
    [21, 1643, 5]
        .into_iter()
        .map(|length| {
            let message: Vec<u8> = (0..length).map(|_| random.gen()).collect();
            let response = BinaryResponse::PushedMixMessage {
                message: message.clone(),
            };
            let kind = format!("{:?}", response.kind());
            let frame = response.into_ws_message(key)?.into_data();
            Ok(json!({
                "kind": kind,
                "message": hex::encode(message),
                "message_len": length,
                "nonce": hex::encode(&frame[NONCE]),
                "ws_binary_message": hex::encode(frame),
            }))
        })
        .collect()
}

fn response_parsing(key: &SharedSymmetricKey, random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let valid = sealed(key, 1, b"hello gateway", random)?;
    let with_kind = |kind: u8| [&[kind][..], &valid[1..]].concat();
    let clear = [&[1, 0][..], &[0; 12], b"in the clear"].concat();
    let cases = [
        ("valid", valid.clone()),
        ("valid and empty", sealed(key, 1, b"", random)?),
        ("unknown kind 2", with_kind(2)),
        ("unknown kind 0", with_kind(0)),
        (
            "flag 0: unencrypted, 12 ignored bytes, then plaintext",
            clear,
        ),
        ("flag 0: exactly 14 bytes", [&[1, 0][..], &[9; 12]].concat()),
    ];
    cases
        .into_iter()
        .chain(malformed(&valid))
        .map(|(name, raw)| {
            Ok(
                match BinaryResponse::try_from_encrypted_tagged_bytes(raw.clone(), key) {
                    Ok(BinaryResponse::PushedMixMessage { message }) => json!({
                        "name": name,
                        "raw": hex::encode(raw),
                        "ok": true,
                        "message": hex::encode(message),
                    }),
                    Ok(_) => bail!("{name}: not a pushed message"),
                    Err(error) => json!({
                        "name": name,
                        "raw": hex::encode(raw),
                        "ok": false,
                        "error": error.to_string(),
                    }),
                },
            )
        })
        .collect()
}

/// Frames that cannot be opened, from one that can. Shorter frames in the clear are not among them:
/// the crate panics there.
fn malformed(frame: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let flipped = |place: usize| {
        let mut changed = frame.to_vec();
        changed[place] ^= 1;
        changed
    };
    let mut flagged = frame.to_vec();
    flagged[1] = 2;
    vec![
        ("tag bit flipped", flipped(frame.len() - 1)),
        ("nonce bit flipped", flipped(5)),
        ("ciphertext bit flipped", flipped(14)),
        ("bad encryption flag", flagged),
        ("empty", Vec::new()),
        ("one byte", frame[..1].to_vec()),
        ("shorter than nonce", frame[..13].to_vec()),
        ("nonce only, no ciphertext", frame[..14].to_vec()),
        ("shorter than tag", frame[..20].to_vec()),
    ]
}
