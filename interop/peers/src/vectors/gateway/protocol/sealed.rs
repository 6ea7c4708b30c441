//! Texts that carry something sealed with the shared key.

use super::request_text;
use crate::line::{ChaCha20Rng, Rng};
use anyhow::{bail, Result};
use nym_gateway_requests::{
    ClientControlRequest, ClientRequest, SensitiveServerResponse, ServerResponse,
    SharedSymmetricKey,
};
use serde_json::{json, Value};

/// The three sections about them.
pub fn sections(key: &SharedSymmetricKey, random: &mut ChaCha20Rng) -> Result<Value> {
    let forget = |client, stats| ClientRequest::ForgetMe { client, stats };
    let mut requests = vec![forget(true, true), forget(true, false), forget(false, true)];
    for name in ["Vpn", "Mixnet", "Wasm", "Native", "Socks5", "Unknown"] {
        requests.push(ClientRequest::RememberMe {
            session_type: serde_json::from_value(json!(name))?,
        });
    }
    let responses = [
        SensitiveServerResponse::ForgetMeAck {},
        SensitiveServerResponse::RememberMeAck {},
    ];
    let seal_request = |sealed: &ClientRequest| request(key, sealed);
    let seal_response = |sealed: &SensitiveServerResponse| response(key, sealed);
    Ok(json!({
        "encrypted_requests": requests.iter().map(seal_request).collect::<Result<Vec<_>>>()?,
        "encrypted_responses": responses.iter().map(seal_response).collect::<Result<Vec<_>>>()?,
        "ecash_credential": credential(key, random)?,
    }))
}

fn request(key: &SharedSymmetricKey, sealed: &ClientRequest) -> Result<Value> {
    let request = sealed.encrypt(key)?;
    let ClientControlRequest::EncryptedRequest { ciphertext, nonce } = &request else {
        bail!("sealed as {}", request.name())
    };
    let mut case = opened(key, ciphertext, nonce)?;
    case["json"] = request_text(request)?.into();
    Ok(case)
}

fn response(key: &SharedSymmetricKey, sealed: &SensitiveServerResponse) -> Result<Value> {
    let response = sealed.encrypt(key)?;
    let ServerResponse::EncryptedResponse { ciphertext, nonce } = &response else {
        bail!("sealed as {}", response.name())
    };
    let mut case = opened(key, ciphertext, nonce)?;
    case["json"] = serde_json::to_string(&response)?.into();
    Ok(case)
}

fn opened(key: &SharedSymmetricKey, ciphertext: &[u8], nonce: &[u8]) -> Result<Value> {
    let plaintext = key.decrypt(ciphertext, &SharedSymmetricKey::validate_aead_nonce(nonce)?)?;
    Ok(json!({
        "ciphertext": hex::encode(ciphertext),
        "nonce": hex::encode(nonce),
        "plaintext_json": String::from_utf8(plaintext)?,
    }))
}

/// Sealed as `ClientControlRequest::new_enc_ecash_credential` does it. The credential itself is
/// arbitrary bytes: only a network that issues tickets could make a real one.
fn credential(key: &SharedSymmetricKey, random: &mut ChaCha20Rng) -> Result<Value> {
    let credential: Vec<u8> = (0..64).map(|_| random.gen()).collect();
    let nonce = key.random_nonce();
    let enc_credential = key.encrypt(&credential, &nonce)?;
    Ok(json!({
        "credential_bytes": hex::encode(credential),
        "enc_credential": hex::encode(&enc_credential),
        "nonce": hex::encode(nonce),
        "json": request_text(ClientControlRequest::EcashCredential {
            enc_credential,
            nonce: nonce.to_vec(),
        })?,
    }))
}
