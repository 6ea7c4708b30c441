//! Requests to authenticate (version 2), and the checks that a gateway makes of them.

use super::request_text;
use crate::line::{ChaCha20Rng, Rng};
use anyhow::{bail, Result};
use nym_crypto::asymmetric::ed25519;
use nym_gateway_requests::text_request::authenticate::{
    AuthenticateRequest, AuthenticateRequestContent,
};
use nym_gateway_requests::{
    ClientControlRequest, GatewayProtocolVersion, SharedSymmetricKey, CURRENT_PROTOCOL_VERSION,
};
use serde_json::{json, Value};

/// The three sections about them.
pub fn sections(key: &SharedSymmetricKey, random: &mut ChaCha20Rng) -> Result<Value> {
    let client = Client {
        key,
        identity: ed25519::KeyPair::new(random),
    };
    let constructed =
        ClientControlRequest::new_authenticate_v2(key, &client.identity, CURRENT_PROTOCOL_VERSION)?;
    Ok(json!({
        "authenticate_v2": client.requests(random)?,
        "authenticate_v2_checks": client.checks(random)?,
        "authenticate_v2_from_constructor": {
            "client_identity_public": hex::encode(client.identity.public_key().to_bytes()),
            "shared_key": hex::encode(key.as_bytes()),
            "json": request_text(constructed)?,
        },
    }))
}

struct Client<'a> {
    key: &'a SharedSymmetricKey,
    identity: ed25519::KeyPair,
}

type Change = fn(&mut AuthenticateRequestContent);

/// Variations of a request: what changes before it is signed, and what after.
const VARIATIONS: [(&str, Change, Change); 8] = [
    ("valid", |_| {}, |_| {}),
    (
        "timestamp changed after signing",
        |_| {},
        |content| content.request_unix_timestamp += 1,
    ),
    (
        "version changed after signing",
        |_| {},
        |content| content.protocol_version -= 1,
    ),
    (
        "nonce changed after signing",
        |_| {},
        |content| content.nonce[0] ^= 1,
    ),
    (
        "nonce changed, re-signed: ciphertext no longer matches",
        |content| content.nonce[0] ^= 1,
        |_| {},
    ),
    (
        "ciphertext tag changed, re-signed",
        |content| content.address_ciphertext[47] ^= 1,
        |_| {},
    ),
    (
        "ciphertext cut, re-signed",
        |content| content.address_ciphertext.truncate(32),
        |_| {},
    ),
    (
        "11 byte nonce, re-signed",
        |content| content.nonce.truncate(11),
        |_| {},
    ),
];

impl Client<'_> {
    fn requests(&self, random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
        let versions_and_times = [
            (CURRENT_PROTOCOL_VERSION, 1_760_000_000),
            (5, 1_700_000_001),
            (CURRENT_PROTOCOL_VERSION, 1 << 32),
        ];
        versions_and_times
            .into_iter()
            .map(|(version, time)| self.request(version, time, &random.gen::<[u8; 12]>()))
            .collect()
    }

    fn request(&self, version: GatewayProtocolVersion, time: u64, nonce: &[u8]) -> Result<Value> {
        let request = signed(self.content(version, time, nonce)?, &self.identity);
        let content = &request.content;
        let secret = self.identity.private_key();
        let mut case = json!({
            "shared_key": hex::encode(self.key.as_bytes()),
            "client_identity_secret": hex::encode(secret.to_bytes()),
            "client_identity_public": hex::encode(content.client_identity.to_bytes()),
            "protocol_version": content.protocol_version,
            "request_unix_timestamp": content.request_unix_timestamp,
            "nonce": hex::encode(&content.nonce),
            "address_ciphertext": hex::encode(&content.address_ciphertext),
            "signed_plaintext": hex::encode(content.plaintext()),
            "request_signature": hex::encode(request.request_signature.to_bytes()),
        });
        case["json"] = text(request)?.into();
        Ok(case)
    }

    /// What `AuthenticateRequestContent::new` makes, with a nonce and a time that are given.
    fn content(
        &self,
        protocol_version: GatewayProtocolVersion,
        request_unix_timestamp: u64,
        nonce: &[u8],
    ) -> Result<AuthenticateRequestContent> {
        let client_identity = *self.identity.public_key();
        let address = client_identity.derive_destination_address();
        let address_ciphertext = self.key.encrypt(
            address.as_bytes_ref(),
            &SharedSymmetricKey::validate_aead_nonce(nonce)?,
        )?;
        Ok(AuthenticateRequestContent {
            protocol_version,
            client_identity,
            address_ciphertext,
            nonce: nonce.to_vec(),
            request_unix_timestamp,
        })
    }

    fn checks(&self, random: &mut ChaCha20Rng) -> Result<Vec<Value>> {
        let nonce: [u8; 12] = random.gen();
        let valid = || self.content(CURRENT_PROTOCOL_VERSION, 1_760_000_100, &nonce);
        let mut cases = Vec::new();
        for (name, before, after) in VARIATIONS {
            let mut content = valid()?;
            before(&mut content);
            let mut request = signed(content, &self.identity);
            after(&mut request.content);
            cases.push(self.checked(name, request)?);
        }
        let other = ed25519::KeyPair::new(random);
        cases.push(self.checked("signed by another key", signed(valid()?, &other))?);
        let mut request = signed(valid()?, &self.identity);
        request.content.client_identity = *other.public_key();
        cases.push(self.checked("identity changed after signing", request)?);
        Ok(cases)
    }

    fn checked(&self, name: &str, request: AuthenticateRequest) -> Result<Value> {
        let signature_ok = request.verify_signature().is_ok();
        let ciphertext_ok = request.verify_ciphertext(self.key).is_ok();
        if (name == "valid") != (signature_ok && ciphertext_ok) {
            bail!("the case {name:?} is not what it says");
        }
        Ok(json!({
            "name": name,
            "signed_plaintext": hex::encode(request.content.plaintext()),
            "signature_ok": signature_ok,
            "ciphertext_ok": ciphertext_ok,
            "json": text(request)?,
        }))
    }
}

fn signed(content: AuthenticateRequestContent, identity: &ed25519::KeyPair) -> AuthenticateRequest {
    let request_signature = identity.private_key().sign(content.plaintext());
    AuthenticateRequest {
        content,
        request_signature,
    }
}

fn text(request: AuthenticateRequest) -> Result<String> {
    request_text(ClientControlRequest::AuthenticateV2(Box::new(request)))
}
