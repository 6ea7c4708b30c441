//! What clients keep on disk: the database of gateway registrations, and a whole directory.

mod directory;
mod registrations;

pub use directory::config_directory;
pub use registrations::registrations;

use crate::line::{ChaCha20Rng, RngCore};
use anyhow::{bail, Context, Result};
use nym_client_core_gateways_storage::{
    GatewayDetails, GatewayRegistration, RawGatewayPublishedData,
};
use nym_crypto::asymmetric::ed25519;
use nym_gateway_requests::shared_key::SharedSymmetricKey;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// How long the connections to a database may take to close.
const CLOSING: Duration = Duration::from_millis(500);

/// How often to wait for that.
const ATTEMPTS: usize = 20;

/// A point in time, from Unix nanoseconds.
fn moment(nanoseconds: i128) -> Result<OffsetDateTime> {
    Ok(OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)?)
}

/// The addresses of a gateway and when they expire, with the URLs as the crate parses them.
fn published(
    primary: &str,
    fallback: Option<&str>,
    expires: i128,
) -> Result<RawGatewayPublishedData> {
    Ok(RawGatewayPublishedData {
        gateway_listener: primary.to_owned(),
        fallback_listener: fallback.map(str::to_owned),
        expiration_timestamp: moment(expires)?,
    })
}

/// A registration with a gateway of the network, under keys of its own.
fn remote(
    rng: &mut ChaCha20Rng,
    registered: i128,
    addresses: RawGatewayPublishedData,
) -> Result<GatewayRegistration> {
    let gateway = *ed25519::KeyPair::new(rng).public_key();
    let mut key = [0; 32];
    rng.fill_bytes(&mut key);
    let key = Arc::new(SharedSymmetricKey::try_from_bytes(&key)?);
    Ok(GatewayRegistration {
        details: GatewayDetails::new_remote(gateway, key, addresses.try_into()?),
        registration_timestamp: moment(registered)?,
    })
}

/// A registration of the kind that a client built into a gateway has.
fn custom(
    rng: &mut ChaCha20Rng,
    registered: i128,
    data: Option<Vec<u8>>,
) -> Result<GatewayRegistration> {
    let gateway = *ed25519::KeyPair::new(rng).public_key();
    Ok(GatewayRegistration {
        details: GatewayDetails::new_custom(gateway, data),
        registration_timestamp: moment(registered)?,
    })
}

/// The write-ahead log of a database.
fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// Wait until a database, whose store was closed or dropped, is one file with everything in it.
///
/// The last connection to close moves the log into the database and removes it. Of a pool that is
/// dropped (the store of registrations has no call that closes it) all connections close at once,
/// on threads of their own; then each may find another still open, and the log stays. Opening the
/// store and closing it once more makes up for that.
async fn one_file<F>(database: &Path, open_and_close: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let log = log_of(database);
    let gone = || async {
        while log.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    for _ in 0..ATTEMPTS {
        if tokio::time::timeout(CLOSING, gone()).await.is_ok() {
            return Ok(());
        }
        open_and_close().await?;
    }
    bail!("{} still has its log", database.display())
}
