//! The sections of gateway.json about the protocol, made by nym-gateway-requests 1.21.6.

mod authentication;
mod binary;
mod connection;
mod handshakes;
mod packets;
mod sealed;
mod texts;

use crate::line::Rng;
use crate::vectors::support::{join, random};
use anyhow::Result;
use nym_credentials_interface::DEFAULT_MIXNET_REQUEST_BANDWIDTH_THRESHOLD;
use nym_gateway_requests::{ClientControlRequest, SharedSymmetricKey, CURRENT_PROTOCOL_VERSION};
use nym_sphinx_acknowledgements::surb_ack::SurbAck;
use nym_sphinx_params::{PacketSize, PacketType};
use serde_json::{json, Value};

/// All of them. One shared key seals what is sealed outside handshakes.
pub async fn sections(seed: u64) -> Result<Value> {
    let draw = |purpose| random(seed, purpose);
    let key = SharedSymmetricKey::try_from_bytes(&draw("gateway key").gen::<[u8; 32]>())?;
    let about = json!({
        "set": "public",
        "constants": constants(),
        "shared_key": hex::encode(key.as_bytes()),
        "shared_key_base58": key.to_base58_string(),
        "handshakes": handshakes::cases(&mut draw("gateway handshakes")).await?,
    });
    Ok(join([
        about,
        authentication::sections(&key, &mut draw("gateway authentication"))?,
        binary::sections(&key, &mut draw("gateway binary"))?,
        sealed::sections(&key, &mut draw("gateway sealed"))?,
        texts::sections()?,
    ]))
}

fn constants() -> Value {
    let sizes = [
        PacketSize::AckPacket,
        PacketSize::RegularPacket,
        PacketSize::ExtendedPacket8,
        PacketSize::ExtendedPacket16,
        PacketSize::ExtendedPacket32,
    ];
    json!({
        "current_protocol_version": CURRENT_PROTOCOL_VERSION,
        "default_bandwidth_threshold": DEFAULT_MIXNET_REQUEST_BANDWIDTH_THRESHOLD,
        "packet_sizes": sizes.map(packet_size),
    })
}

fn packet_size(size: PacketSize) -> Value {
    // A gateway takes the SURB-ack off the front of what it pushes, and packets of the size for
    // acks have none (`process_final_hop` of nym-sphinx-framing).
    let ack = match size {
        PacketSize::AckPacket => 0,
        _ => SurbAck::len(Some(PacketType::Mix)),
    };
    json!({
        "name": size.to_string(),
        "tag": size as u8,
        "size": size.size(),
        "header": size.header_size(),
        "payload": size.payload_size(),
        "plaintext": size.plaintext_size(),
        "pushed_len": size.plaintext_size() - ack,
    })
}

/// The text that a client puts on the websocket.
fn request_text(request: ClientControlRequest) -> Result<String> {
    Ok(request.try_into()?)
}
