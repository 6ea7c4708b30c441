//! apis.json: what the TcpProxy and the Stream module of nym-sdk put on the wire, and do with it.

mod legacy;
mod stream;

use super::support::join;
use anyhow::Result;
use serde_json::{json, Value};

/// Make the file.
pub async fn make(seed: u64) -> Result<Value> {
    let about = json!({
        "description": "TcpProxy ProxiedMessage encodings, Stream (LP) frames, malformed inputs \
            with the Rust decoder's verdict, and behaviour traces of the Rust reorder buffers. \
            All byte fields are lower-case hex.",
        "source": "bincode 1.3.3, uuid 1 (serde), nym-sdk 1.21.6 (tcp_proxy/utils.rs, \
            mixnet/stream), nym-lp-data 1.21.6, tokio-util 0.7",
        "seed": format!("{seed:#x}"),
    });
    Ok(join([
        about,
        legacy::sections(seed).await?,
        stream::sections(seed)?,
    ]))
}
