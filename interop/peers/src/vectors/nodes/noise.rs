//! `noise`: handshakes and data frames with known ephemeral keys.
//!
//! nym-noise draws its ephemeral keys from the system and keeps its frames to itself, so the
//! messages are snow's, with the parameters of nym-noise, and the headers are those that nym-noise
//! wrote in a conversation of the same lengths: see `live`, where it also agrees to the parameters.

mod live;

use super::super::support::pattern;
use crate::line::{ChaCha20Rng, RngCore};
use anyhow::{ensure, Result};
use nym_crypto::asymmetric::x25519;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use snow::{Builder, HandshakeState, TransportState};
use tokio::runtime::Handle;

/// The default of nym-noise (src/config.rs, `NoisePattern::XKpsk3`) and the place of its PSK.
const PROTOCOL: &str = "Noise_XKpsk3_25519_AESGCM_SHA256";
const PSK_POSITION: u8 = 3;
/// What the PSK is derived from, with the responder's key (nym-noise, src/lib.rs).
const PSK_PREFIX: &[u8] = b"NYMTECH_NOISE_dQw4w9WgXcQ";
const LONGEST_MESSAGE: usize = 65535;

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Initiator,
    Responder,
}

use Side::{Initiator, Responder};

/// Who sends in which message of the handshake.
const TURNS: [Side; 3] = [Initiator, Responder, Initiator];

/// One data frame.
struct Datum {
    from: Side,
    plaintext: Vec<u8>,
}

/// All private keys of a conversation.
struct Keys {
    initiator_static: [u8; 32],
    responder_static: [u8; 32],
    initiator_ephemeral: [u8; 32],
    responder_ephemeral: [u8; 32],
}

/// The section.
pub fn make(random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
    let conversations = [
        vec![
            (Initiator, Vec::new()),
            (Initiator, b"hello mixnet".to_vec()),
            (Initiator, pattern(2417, 7, 0)),
            (Responder, b"back".to_vec()),
        ],
        vec![
            (Initiator, (0..=255).collect()),
            (Responder, vec![255; 390]),
            (Initiator, vec![0]),
            (Responder, Vec::new()),
            (Initiator, pattern(4834, 31, 5)),
        ],
    ];
    conversations
        .into_iter()
        .map(|data| {
            let data: Vec<_> = data
                .into_iter()
                .map(|(from, plaintext)| Datum { from, plaintext })
                .collect();
            let keys = Keys::draw(random);
            let headers = tokio::task::block_in_place(|| {
                Handle::current().block_on(live::headers(&keys, &data))
            })?;
            keys.conversation(&data, &headers)
        })
        .collect()
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Initiator => "initiator",
            Responder => "responder",
        }
    }
}

impl Keys {
    fn draw(random: &mut ChaCha20Rng) -> Keys {
        let mut draw = || {
            let mut key = [0; 32];
            random.fill_bytes(&mut key);
            key
        };
        Keys {
            initiator_static: draw(),
            responder_static: draw(),
            initiator_ephemeral: draw(),
            responder_ephemeral: draw(),
        }
    }

    fn pair(&self, side: Side) -> x25519::KeyPair {
        let private = match side {
            Initiator => self.initiator_static,
            Responder => self.responder_static,
        };
        x25519::PrivateKey::from_secret(private).into()
    }

    fn psk(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(PSK_PREFIX)
            .chain_update(self.pair(Responder).public_key().to_bytes())
            .finalize()
            .into()
    }

    /// One side of the handshake, with its ephemeral key if that is to be known.
    fn handshake(&self, side: Side, ephemeral: Option<&[u8; 32]>) -> Result<HandshakeState> {
        let psk = self.psk();
        let local = self.pair(side).private_key().to_bytes();
        let remote = self.pair(Responder).public_key().to_bytes();
        let mut builder = Builder::new(PROTOCOL.parse()?)
            .local_private_key(&local)
            .psk(PSK_POSITION, &psk);
        if let Some(key) = ephemeral {
            builder = builder.fixed_ephemeral_key_for_testing_only(key);
        }
        Ok(match side {
            Initiator => builder.remote_public_key(&remote).build_initiator()?,
            Responder => builder.build_responder()?,
        })
    }

    fn conversation(&self, data: &[Datum], headers: &[live::Header]) -> Result<Value> {
        ensure!(
            headers.len() == TURNS.len() + data.len(),
            "a header is missing"
        );
        let (handshake_headers, data_headers) = headers.split_at(TURNS.len());
        let mut initiator = self.handshake(Initiator, Some(&self.initiator_ephemeral))?;
        let mut responder = self.handshake(Responder, Some(&self.responder_ephemeral))?;
        let handshake = shake_hands(&mut initiator, &mut responder, handshake_headers)?;
        let hash = hex::encode(initiator.get_handshake_hash());
        ensure!(
            hash == hex::encode(responder.get_handshake_hash()),
            "the two sides differ"
        );
        let data = exchange(
            initiator.into_transport_mode()?,
            responder.into_transport_mode()?,
            data,
            data_headers,
        )?;
        Ok(json!({
            "psk": hex::encode(self.psk()),
            "initiator_static_private": hex::encode(self.initiator_static),
            "initiator_static_public": hex::encode(self.pair(Initiator).public_key().to_bytes()),
            "initiator_ephemeral_private": hex::encode(self.initiator_ephemeral),
            "responder_static_private": hex::encode(self.responder_static),
            "responder_static_public": hex::encode(self.pair(Responder).public_key().to_bytes()),
            "responder_ephemeral_private": hex::encode(self.responder_ephemeral),
            "handshake": handshake,
            "handshake_hash": hash,
            "data": data,
        }))
    }
}

fn shake_hands(
    initiator: &mut HandshakeState,
    responder: &mut HandshakeState,
    headers: &[live::Header],
) -> Result<Vec<Value>> {
    let mut buffer = vec![0; LONGEST_MESSAGE];
    let mut messages = Vec::new();
    for (from, header) in TURNS.into_iter().zip(headers) {
        let (sender, receiver) = match from {
            Initiator => (&mut *initiator, &mut *responder),
            Responder => (&mut *responder, &mut *initiator),
        };
        let length = sender.write_message(&[], &mut buffer)?;
        let message = buffer[..length].to_vec();
        receiver.read_message(&message, &mut buffer)?;
        messages.push(json!({
            "from": from.name(),
            "noise_message": hex::encode(&message),
            "frame": hex::encode([&header[..], &message].concat()),
        }));
    }
    Ok(messages)
}

fn exchange(
    mut initiator: TransportState,
    mut responder: TransportState,
    data: &[Datum],
    headers: &[live::Header],
) -> Result<Vec<Value>> {
    let mut buffer = vec![0; LONGEST_MESSAGE];
    let mut frames = Vec::new();
    for (datum, header) in data.iter().zip(headers) {
        let (sender, receiver) = match datum.from {
            Initiator => (&mut initiator, &mut responder),
            Responder => (&mut responder, &mut initiator),
        };
        let nonce = sender.sending_nonce();
        let length = sender.write_message(&datum.plaintext, &mut buffer)?;
        let message = buffer[..length].to_vec();
        let length = receiver.read_message(&message, &mut buffer)?;
        ensure!(
            buffer[..length] == datum.plaintext,
            "a frame was not read as it was meant"
        );
        frames.push(json!({
            "from": datum.from.name(),
            "nonce": nonce,
            "plaintext": hex::encode(&datum.plaintext),
            "frame": hex::encode([&header[..], &message].concat()),
        }));
    }
    Ok(frames)
}
