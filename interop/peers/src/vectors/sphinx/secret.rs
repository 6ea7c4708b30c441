//! The secret of a sender and one hop, expanded, and what its parts are used for.

use crate::line;
use anyhow::{ensure, Context, Result};
use sphinx_packet::constants::{
    BLINDING_FACTOR_SIZE, EXPANDED_SHARED_SECRET_LENGTH, HEADER_INTEGRITY_MAC_SIZE,
    INTEGRITY_MAC_KEY_SIZE, PAYLOAD_KEY_SIZE, REPLAY_TAG_SIZE, STREAM_CIPHER_OUTPUT_LENGTH,
};
use sphinx_packet::crypto::{
    generate_pseudorandom_bytes, STREAM_CIPHER_INIT_VECTOR, STREAM_CIPHER_KEY_SIZE,
};
use sphinx_packet::header::keys::{HeaderIntegrityMacKey, StreamCipherKey};
use sphinx_packet::header::shared_secret::ExpandedSharedSecret;
use sphinx_packet::payload::key::{PayloadKey, PayloadKeySeed};

// Where the parts begin, as in the private methods of `ExpandedSharedSecret`. The packets of the
// same file go wrong in a reader that cuts in other places.
const MAC_KEY: usize = STREAM_CIPHER_KEY_SIZE;
const PAYLOAD_KEY: usize = MAC_KEY + INTEGRITY_MAC_KEY_SIZE;
const BLINDING_FACTOR: usize = PAYLOAD_KEY + PAYLOAD_KEY_SIZE;
const REPLAY_TAG: usize = BLINDING_FACTOR + BLINDING_FACTOR_SIZE;

/// The bytes of an expanded secret.
pub struct Expanded([u8; EXPANDED_SHARED_SECRET_LENGTH]);

impl Expanded {
    /// Read them from the derived `Debug`, which prints them all, while the crate gives no more
    /// than the replay tag away.
    pub fn of(secret: &ExpandedSharedSecret) -> Result<Self> {
        let text = format!("{secret:?}");
        let list = text
            .strip_prefix("ExpandedSharedSecret(")
            .and_then(|rest| rest.strip_suffix(')'))
            .context("an expanded secret prints as something else")?;
        let bytes: Vec<u8> = serde_json::from_str(list).context("reading an expanded secret")?;
        let expanded = Self(
            bytes
                .try_into()
                .ok()
                .context("an expanded secret of another length")?,
        );
        ensure!(
            expanded.replay_tag() == *secret.replay_tag(),
            "the printed replay tag is not the real one"
        );
        Ok(expanded)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn stream_key(&self) -> StreamCipherKey {
        self.part(0)
    }

    pub fn mac_key(&self) -> HeaderIntegrityMacKey {
        self.part(MAC_KEY)
    }

    /// The payload key up to version 258.
    pub fn explicit_payload_key(&self) -> PayloadKey {
        self.part(PAYLOAD_KEY)
    }

    /// What the payload key is derived from since version 259.
    pub fn payload_key_seed(&self) -> PayloadKeySeed {
        self.part(PAYLOAD_KEY)
    }

    pub fn blinding_factor(&self) -> [u8; BLINDING_FACTOR_SIZE] {
        self.part(BLINDING_FACTOR)
    }

    pub fn replay_tag(&self) -> [u8; REPLAY_TAG_SIZE] {
        self.part(REPLAY_TAG)
    }

    fn part<const N: usize>(&self, start: usize) -> [u8; N] {
        self.0[start..start + N]
            .try_into()
            .expect("a slice of N bytes is an array of N")
    }
}

/// The stream that hides the routing information of one hop.
pub fn keystream(key: &StreamCipherKey) -> Vec<u8> {
    generate_pseudorandom_bytes(key, &STREAM_CIPHER_INIT_VECTOR, STREAM_CIPHER_OUTPUT_LENGTH)
}

/// The MAC of routing information, which the crate itself accepts.
pub fn header_mac(
    key: &HeaderIntegrityMacKey,
    routing: &[u8],
) -> Result<[u8; HEADER_INTEGRITY_MAC_SIZE]> {
    let (whole, accepted) = line::header_mac(key, routing)?;
    ensure!(accepted, "the crate refuses a header MAC");
    let mut mac = [0; HEADER_INTEGRITY_MAC_SIZE];
    mac.copy_from_slice(&whole[..HEADER_INTEGRITY_MAC_SIZE]);
    Ok(mac)
}
