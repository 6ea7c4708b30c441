// SPDX-License-Identifier: CC0-1.0
//
// Written for nymproxy-migrate and given to the public domain: copy it, change it, keep it in your
// program under any licence, without naming where it comes from.

//! The constructors of `nym_sdk::tcp_proxy` on top of streams (nym-sdk 1.21.6).
//!
//! Put this file beside `main.rs` or `lib.rs`, add `mod nymproxy_compat;` there, and replace
//! `nym_sdk::tcp_proxy` by `crate::nymproxy_compat` in `use` lines. It needs nym-sdk, tokio and
//! anyhow, nothing else.
//!
//! What differs from the old proxies:
//!
//! * Frames are those of streams: **both ends must have changed**. `nymproxy server` takes old and
//!   new clients at once, a Rust server only new ones.
//! * No wait of 7 seconds for the first bytes, no message that is skipped after 7 seconds.
//! * Each TCP connection still has a mixnet client, and so an identity, of its own: the server
//!   cannot link connections.
//! * A Rust stream cannot tell its peer that it has ended. After the end of the local socket a
//!   session is kept until nothing has come for `close_timeout` (servers: 60 seconds) and all is
//!   sent: the old client cut uploads off there.
//! * `tx()`, `rx()`, `session_map()`, `mixnet_client_mut()` and `mixnet_client_sender()` are gone.

#![allow(dead_code)]

use anyhow::{Context, Result};
use nym_sdk::client_pool::ClientPool;
use nym_sdk::mixnet::{
    ed25519, LaneQueueLengths, MixnetClient, MixnetClientBuilder, MixnetListener, MixnetStream,
    NymNetworkDetails, Recipient, StoragePaths,
};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// Reply SURBs with each frame of a client. A server keeps 10 back to ask for more, so that it
/// could not answer at once with the default of 10.
const REPLY_SURBS: u32 = 20;
/// Bytes of a frame to a server; each carries reply SURBs besides.
const CLIENT_FRAME_BYTES: usize = 32 * 1024;
/// Bytes of a frame to a client: a few packets, so that the reply SURBs at hand carry it at once.
const SERVER_FRAME_BYTES: usize = 8 * 1024;
/// How long a server keeps a session after its upstream has ended and nothing comes any more.
const SERVER_CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Carries each connection to a local TCP port over a stream to a server.
#[derive(Clone)]
pub struct NymProxyClient {
    server_address: Recipient,
    listen_address: String,
    close_timeout: Duration,
    network: NymNetworkDetails,
    pool: ClientPool,
    stop: Arc<watch::Sender<bool>>,
}

impl NymProxyClient {
    /// The arguments are those of `nym_sdk::tcp_proxy::NymProxyClient::new`.
    pub async fn new(
        server_address: Recipient,
        listen_address: &str,
        listen_port: &str,
        close_timeout: u64,
        env: Option<String>,
        default_client_amount: usize,
    ) -> Result<Self> {
        Ok(Self {
            server_address,
            listen_address: format!("{listen_address}:{listen_port}"),
            close_timeout: Duration::from_secs(close_timeout),
            network: network(env)?,
            pool: ClientPool::new(default_client_amount), // nymproxy: ignore[NYM013]
            stop: Arc::new(watch::channel(false).0),
        })
    }

    /// Listens on 127.0.0.1:8080, with 60 seconds of close timeout and a pool of 2.
    pub async fn new_with_defaults(server_address: Recipient, env: Option<String>) -> Result<Self> {
        Self::new(server_address, "127.0.0.1", "8080", 60, env, 2).await
    }

    /// Accepts connections until [`disconnect`](Self::disconnect) is called.
    pub async fn run(&self) -> Result<()> {
        let listener = TcpListener::bind(&self.listen_address).await?;
        let pool = self.pool.clone();
        tokio::spawn(async move { pool.start().await });
        let mut stop = self.stop.subscribe();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (socket, _) = accepted?;
                    tokio::spawn(self.clone().session(socket, self.stop.subscribe()));
                }
                () = stopped(&mut stop) => break Ok(()),
            }
        }
    }

    /// Ends the accept loop, all sessions and the pool.
    pub async fn disconnect(&self) {
        self.stop.send_replace(true);
        self.pool.disconnect_pool().await;
    }

    async fn session(self, socket: TcpStream, mut stop: watch::Receiver<bool>) -> Result<()> {
        let mut client = tokio::select! {
            client = self.mixnet_client() => client?,
            () = stopped(&mut stop) => return Ok(()),
        };
        let queues = client.shared_lane_queue_lengths();
        let outcome = match client.open_stream(self.server_address, Some(REPLY_SURBS)).await {
            Ok(stream) => {
                let timeout = self.close_timeout;
                carry(socket, stream, CLIENT_FRAME_BYTES, timeout, queues, stop).await
            }
            Err(error) => Err(error.into()),
        };
        client.disconnect().await;
        outcome
    }

    async fn mixnet_client(&self) -> Result<MixnetClient> {
        if let Some(client) = self.pool.get_mixnet_client().await {
            return Ok(client);
        }
        let builder = MixnetClientBuilder::new_ephemeral().network_details(self.network.clone());
        Ok(builder.build()?.connect_to_mixnet().await?)
    }
}

/// Carries each stream that a client opens to a TCP service.
pub struct NymProxyServer {
    upstream_address: String,
    client: MixnetClient,
    listener: MixnetListener,
    shutdown: (mpsc::Sender<()>, mpsc::Receiver<()>),
}

impl NymProxyServer {
    /// The arguments are those of `nym_sdk::tcp_proxy::NymProxyServer::new`; the same `config_dir`
    /// gives the same Nym address.
    pub async fn new(
        upstream_address: &str,
        config_dir: &str,
        env: Option<String>,
        gateway: Option<ed25519::PublicKey>,
    ) -> Result<Self> {
        let network = network(env)?;
        let paths = StoragePaths::new_from_dir(PathBuf::from(config_dir))?;
        let mut builder = MixnetClientBuilder::new_with_default_storage(paths)
            .await?
            .network_details(network);
        if let Some(gateway) = gateway {
            builder = builder.request_gateway(gateway.to_string());
        }
        let mut client = builder.build()?.connect_to_mixnet().await?;
        let listener = client.listener()?;
        Ok(Self {
            upstream_address: upstream_address.to_string(),
            client,
            listener,
            shutdown: mpsc::channel(1),
        })
    }

    /// Serves until [`disconnect_signal`](Self::disconnect_signal) is used.
    pub async fn run_with_shutdown(&mut self) -> Result<()> {
        // The sender's end of this call stops its sessions, on every way out.
        let (_running, stop) = watch::channel(false);
        loop {
            tokio::select! {
                Some(()) = self.shutdown.1.recv() => break Ok(()),
                stream = self.listener.accept() => {
                    let stream = stream.context("the mixnet client has ended")?;
                    let queues = self.client.shared_lane_queue_lengths();
                    let upstream = self.upstream_address.clone();
                    tokio::spawn(session(upstream, stream, queues, stop.clone()));
                }
            }
        }
    }

    /// A sender; `()` ends [`run_with_shutdown`](Self::run_with_shutdown).
    pub fn disconnect_signal(&self) -> mpsc::Sender<()> {
        self.shutdown.0.clone()
    }

    /// The address that clients are given.
    pub fn nym_address(&self) -> &Recipient {
        self.client.nym_address()
    }
}

async fn session(
    upstream_address: String,
    stream: MixnetStream,
    queues: LaneQueueLengths,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let socket = TcpStream::connect(upstream_address).await?;
    carry(socket, stream, SERVER_FRAME_BYTES, SERVER_CLOSE_TIMEOUT, queues, stop).await
}

/// Ends when the sender says so or is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// Copies both ways. An end of data ends one direction only; when the socket has ended, the other
/// direction goes on until nothing has come for `close_timeout`, and as long as the packets that
/// wait to be sent get fewer: they would be lost.
async fn carry(
    socket: TcpStream,
    stream: MixnetStream,
    frame_bytes: usize,
    close_timeout: Duration,
    queues: LaneQueueLengths,
    mut stop: watch::Receiver<bool>,
) -> Result<()> {
    let (mut from_socket, mut to_socket) = socket.into_split();
    let (mut from_mixnet, mut to_mixnet) = tokio::io::split(stream);
    // A second buffer for each direction: both must make progress at once.
    let (mut outbound, mut inbound) = (vec![0u8; frame_bytes], vec![0u8; CLIENT_FRAME_BYTES]);
    let (socket_ended, mut has_ended) = watch::channel(false);
    let upload = async {
        loop {
            let count = from_socket.read(&mut outbound).await?;
            if count == 0 {
                socket_ended.send_replace(true);
                break Ok::<_, std::io::Error>(());
            }
            to_mixnet.write_all(&outbound[..count]).await?;
        }
    };
    let download = async {
        let (mut is_open, mut waiting) = (true, usize::MAX);
        loop {
            let ended = *has_ended.borrow();
            let idle = async {
                if ended {
                    tokio::time::sleep(close_timeout).await;
                } else {
                    // Start again, now with a limit.
                    stopped(&mut has_ended).await;
                }
            };
            tokio::select! {
                read = from_mixnet.read(&mut inbound), if is_open => match read? {
                    0 => {
                        is_open = false;
                        to_socket.shutdown().await?;
                    }
                    count => to_socket.write_all(&inbound[..count]).await?,
                },
                () = idle => if ended {
                    let before = std::mem::replace(&mut waiting, queues.total());
                    if waiting == 0 || waiting >= before {
                        break Ok::<_, std::io::Error>(());
                    }
                },
            }
        }
    };
    tokio::select! {
        outcome = async { tokio::try_join!(upload, download) } => outcome.map(|_| ())?,
        () = stopped(&mut stop) => (),
    }
    Ok(())
}

/// Loads the env file as the old constructors did, and returns the network that it describes.
///
/// Variables that are set already count more than the file, what neither says is the mainnet's.
fn network(env: Option<String>) -> Result<NymNetworkDetails> {
    static LOADING: Mutex<()> = Mutex::new(());
    let _alone = LOADING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let is_configured = std::env::var_os("CONFIGURED").is_some();
    match env {
        Some(path) if !is_configured => {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read the env file {path}"))?;
            for (name, value) in text.lines().filter_map(variable) {
                if std::env::var_os(name).is_none() {
                    set_variable(name, value);
                }
            }
        }
        None if !is_configured => return Ok(export_mainnet()),
        _ => (),
    }
    let given: Vec<_> = std::env::vars_os().collect();
    let is_given = |name: &str| given.iter().any(|(given, _)| given == name);
    let own_api = is_given("NYM_API") && !is_given("NYM_APIS");
    export_mainnet();
    for (name, value) in &given {
        set_variable(name, value);
    }
    if own_api {
        // Else the mainnet's list would count more than the one URL that the file names.
        set_variable("NYM_APIS", "");
    }
    Ok(NymNetworkDetails::new_from_env())
}

fn export_mainnet() -> NymNetworkDetails {
    let mainnet = NymNetworkDetails::new_mainnet();
    mainnet.clone().export_to_env();
    mainnet
}

#[allow(unused_unsafe)]
fn set_variable(name: impl AsRef<std::ffi::OsStr>, value: impl AsRef<std::ffi::OsStr>) {
    // Safety: as with the old constructors, make proxies before other threads read variables.
    unsafe { std::env::set_var(name, value) }
}

/// Reads one line of an env file: `NAME=value`, `export NAME="value"`, `NAME='value' # comment`.
fn variable(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.starts_with('#') {
        return None;
    }
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            return quoted.split_once(quote).map(|(inside, _)| (name, inside));
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    Some((name, value[..end].trim_end()))
}
