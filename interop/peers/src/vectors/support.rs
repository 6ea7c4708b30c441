//! What all makers of vector files share: randomness with a seed, patterns, and joining sections.

use crate::line::{ChaCha20Rng, SeedableRng};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A generator of its own for each purpose, so that a change to one section leaves the others.
pub fn random(seed: u64, purpose: &str) -> ChaCha20Rng {
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(purpose)
        .finalize();
    ChaCha20Rng::from_seed(digest.into())
}

/// A message whose byte `i` is `(a * i + b + i / 256) mod 256`.
pub fn pattern(length: usize, a: usize, b: usize) -> Vec<u8> {
    (0..length).map(|i| (a * i + b + i / 256) as u8).collect()
}

/// The sections of one file, from several objects.
pub fn join(parts: impl IntoIterator<Item = Value>) -> Value {
    let mut sections = Map::new();
    for part in parts {
        let Value::Object(part) = part else {
            panic!("a part of a vector file is an object")
        };
        sections.extend(part);
    }
    Value::Object(sections)
}
