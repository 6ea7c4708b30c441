//! gateway.json: the protocol between client and gateway, and the database of registrations.

mod protocol;

use super::{storage, support::join};
use crate::line::{CRATES, SPHINX_PACKET};
use anyhow::Result;
use serde_json::{json, Value};

/// Make the file.
pub async fn make(seed: u64) -> Result<Value> {
    let about = json!({
        "description": "Client <-> gateway protocol: registration handshake, authentication v2, \
            binary and text messages. All byte strings are lower-case hex; 'json'/'text' fields \
            are the exact text frames produced or consumed by the real crates. 'ok' flags are \
            verdicts of the real parsers.",
        "source": format!(
            "nym-gateway-requests, nym-sphinx, nym-crypto, nym-client-core-gateways-storage \
                {CRATES}, {SPHINX_PACKET}"
        ),
        "crates": CRATES,
    });
    let stored = json!({"storage": storage::registrations(seed).await?});
    Ok(join([about, protocol::sections(seed).await?, stored]))
}
