//! The real peers for nymproxy's interoperability tests: small programs on nym-sdk 1.21.6.
//!
//! Each prints one JSON line when it is ready, and one with its result if it has one; logs go to
//! stderr. They take the network from an env file, like the published proxies.

mod compat;
mod forward;
mod line;
mod messages;
#[path = "../../../migrate/nymproxy_migrate/rust/nymproxy_compat.rs"]
mod nymproxy_compat;
mod pool;
mod streams;
mod vectors;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use nym_sdk::mixnet::{MixnetClient, MixnetClientBuilder, NymNetworkDetails, StoragePaths};
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Programs on nym-sdk 1.21.6 that nymproxy is tested against")]
struct Arguments {
    /// Env file of the network; needed by all that use one
    #[arg(short, long)]
    env_path: Option<String>,
    /// Keep the identity in this directory
    #[arg(long)]
    storage: Option<PathBuf>,
    /// Register with this gateway (base58 identity)
    #[arg(short, long)]
    gateway: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Accept streams and send every byte back
    StreamEcho,
    /// Open a stream, send bytes, expect them back; print digest and timing
    StreamClient {
        address: String,
        /// Bytes each way
        #[arg(long, default_value_t = 1_000_000)]
        bytes: usize,
        /// Bytes per write
        #[arg(long, default_value_t = 8192)]
        write: usize,
        /// Reply SURBs with the open and with each write; default: the SDK's
        #[arg(long)]
        surbs: Option<u32>,
    },
    /// Accept one stream, read it to its end, print length and digest
    StreamReader,
    /// Accept streams and carry each to a TCP service
    StreamAcceptor {
        /// host:port
        upstream: String,
    },
    /// Listen on a TCP port and carry each connection over a stream
    StreamDialer {
        address: String,
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
        #[arg(long)]
        surbs: Option<u32>,
    },
    /// Listen on a TCP port like the old proxy client, over streams
    CompatClient { address: String, port: String },
    /// Carry streams to a TCP service like the old proxy server; the identity is in --storage
    CompatServer {
        /// host:port
        upstream: String,
    },
    /// Message mode: send every message back to its sender tag
    MessageEcho,
    /// Message mode: send one message, print the answer
    MessageClient { address: String, text: String },
    /// Fill a ClientPool, and send one message from each of its clients
    Pool {
        address: String,
        #[arg(long, default_value_t = 2)]
        reserve: usize,
    },
    /// Make the vector files of the tests anew
    Vectors {
        directory: PathBuf,
        /// Of what we draw at random; what the crates draw from the system differs each time
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only this file
        #[arg(long)]
        only: Option<String>,
    },
}

/// Connect with the identity and the gateway that the command line names.
async fn connect(arguments: &Arguments) -> Result<MixnetClient> {
    let network = NymNetworkDetails::new_from_env();
    let client = match &arguments.storage {
        Some(directory) => {
            let paths = StoragePaths::new_from_dir(directory)?;
            let mut builder = MixnetClientBuilder::new_with_default_storage(paths)
                .await?
                .network_details(network);
            if let Some(gateway) = &arguments.gateway {
                builder = builder.request_gateway(gateway.clone());
            }
            builder.build()?.connect_to_mixnet().await?
        }
        None => {
            let mut builder = MixnetClientBuilder::new_ephemeral().network_details(network);
            if let Some(gateway) = &arguments.gateway {
                builder = builder.request_gateway(gateway.clone());
            }
            builder.build()?.connect_to_mixnet().await?
        }
    };
    Ok(client)
}

/// Print one JSON object on a line of its own.
pub fn report(value: serde_json::Value) {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{value}");
    let _ = output.flush();
}

/// Say that the program is ready, and under which address.
pub fn ready(client: &MixnetClient) {
    report(serde_json::json!({"event": "ready", "address": client.nym_address().to_string()}));
}

#[tokio::main]
async fn main() -> Result<()> {
    if vectors::child_main() {
        return Ok(());
    }
    nym_bin_common::logging::setup_tracing_logger();
    let arguments = Arguments::parse();
    if let Command::Vectors { directory, seed, only } = &arguments.command {
        return vectors::write(directory, *seed, only.as_deref()).await;
    }
    let env = arguments.env_path.clone().context("--env-path is missing")?;
    match &arguments.command {
        Command::CompatClient { address, port } => {
            return compat::client(address, port, Some(env)).await;
        }
        Command::CompatServer { upstream } => {
            let directory = arguments.storage.as_deref().and_then(|path| path.to_str());
            let directory = directory.context("--storage is missing")?;
            return compat::server(upstream, directory, Some(env), arguments.gateway.as_deref())
                .await;
        }
        _ => nym_network_defaults::setup_env(Some(&env)),
    }
    if let Command::Pool { address, reserve } = &arguments.command {
        return pool::run(address, *reserve).await;
    }
    let client = connect(&arguments).await?;
    match arguments.command {
        Command::StreamEcho => streams::echo(client).await,
        Command::StreamClient { address, bytes, write, surbs } => {
            streams::client(client, &address, bytes, write, surbs).await
        }
        Command::StreamReader => streams::reader(client).await,
        Command::StreamAcceptor { upstream } => forward::acceptor(client, upstream).await,
        Command::StreamDialer { address, listen, surbs } => {
            forward::dialer(client, &address, &listen, surbs).await
        }
        Command::MessageEcho => messages::echo(client).await,
        Command::MessageClient { address, text } => messages::client(client, &address, text).await,
        Command::CompatClient { .. }
        | Command::CompatServer { .. }
        | Command::Pool { .. }
        | Command::Vectors { .. } => unreachable!("handled above"),
    }
}
