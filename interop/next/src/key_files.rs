//! encrypted_keys.json: a private key under a passphrase, as nym-pemstore stores it.

use crate::line::{RngCore, CRATES};
use crate::vectors::support::random;
use anyhow::{ensure, Context, Result};
use nym_crypto::asymmetric::ed25519::PrivateKey;
use nym_pemstore::traits::PemStorableKey;
use nym_pemstore::{is_encrypted, load_key_with, store_key_with, Passphrase};
use serde_json::{json, Value};

const PASSPHRASE: &str = "correct horse battery staple";

/// Make the file.
pub fn make(seed: u64) -> Result<Value> {
    let mut key = [0; 32];
    random(seed, "encrypted keys").fill_bytes(&mut key);
    let folder = tempfile::tempdir().context("making a folder for the key")?;
    let path = folder.path().join("private_identity.pem");
    let passphrase = Passphrase::new(PASSPHRASE);
    store_key_with(&PrivateKey::from_bytes(&key)?, &path, Some(&passphrase))?;
    let read: PrivateKey = load_key_with(&path, Some(&passphrase))?;
    ensure!(
        read.to_bytes() == key && is_encrypted(&path)?,
        "another key was read"
    );
    Ok(json!({
        "source": format!("nym-pemstore {CRATES}, store_key_with"),
        "passphrase": PASSPHRASE,
        "tag": PrivateKey::pem_type(),
        "key": hex::encode(key),
        "pem": std::fs::read_to_string(&path)?,
    }))
}
