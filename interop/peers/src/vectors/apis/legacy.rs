//! The TcpProxy's sections of apis.json: its messages, its reorder buffer, and how it reads.
//!
//! All from `nym_sdk::tcp_proxy` (`utils.rs`, and the loops of `tcp_proxy_client.rs` and
//! `tcp_proxy_server.rs`, which are private, so that what they call is called here likewise).

mod buffer_cases;
mod buffer_loop;
mod framed_read;
mod messages;

use anyhow::Result;
use futures::try_join;
use serde_json::{json, Value};
use tokio::net::{TcpListener, TcpStream};

/// The sections; takes as long as the longest run of the reorder buffer, about 16 seconds.
pub async fn sections(seed: u64) -> Result<Value> {
    let (buffer, framed) = try_join!(buffer_loop::section(seed), framed_read::section(seed))?;
    Ok(json!({
        "proxied_message_encode": messages::encode_section(seed)?,
        "proxied_message_decode": messages::decode_section(seed)?,
        "legacy_message_buffer": buffer,
        "framed_read": framed,
    }))
}

/// A real TCP connection within this machine: the dialing end and the accepting one.
async fn connection() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (dialed, (accepted, _)) = try_join!(
        TcpStream::connect(listener.local_addr()?),
        listener.accept()
    )?;
    Ok((dialed, accepted))
}
