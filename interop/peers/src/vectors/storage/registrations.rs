//! Section `storage` of gateway.json: gateways_registrations.sqlite, in both states that a client
//! may leave it in, and what the crate reads back.

use super::{custom, log_of, one_file, published, read, remote};
use crate::line::{ChaCha20Rng, CRATES};
use crate::vectors::support::random;
use anyhow::{ensure, Context, Result};
use base64::{engine::general_purpose::STANDARD, Engine};
use flate2::{write::GzEncoder, Compression};
use nym_client_core::config::disk_persistence::DEFAULT_GATEWAYS_DETAILS_DB_FILENAME;
use nym_client_core_gateways_storage::{
    GatewayDetails, GatewayRegistration, GatewaysDetailsStore, OnDiskGatewaysDetails,
};
use serde_json::{json, Value};
use std::io::Write;

/// The value of the section.
pub async fn registrations(seed: u64) -> Result<Value> {
    let folder = tempfile::tempdir().context("making a folder for the database")?;
    let database = folder.path().join(DEFAULT_GATEWAYS_DETAILS_DB_FILENAME);
    let store = OnDiskGatewaysDetails::init(&database).await?;
    fill(&store, &mut random(seed, "storage registrations")).await?;

    // Nothing is being written now, so copies are what a killed process would leave.
    let (main, log) = (read(&database)?, read(&log_of(&database))?);
    drop(store);
    one_file(&database, || async {
        drop(OnDiskGatewaysDetails::init(&database).await?);
        Ok(())
    })
    .await?;
    let checkpointed = read(&database)?;

    let expected = read_back(&checkpointed, None).await?;
    ensure!(
        read_back(&main, Some(&log)).await? == expected,
        "the database and its log hold something else than the checkpointed database"
    );
    Ok(json!({
        "description": format!(
            "gateways_registrations.sqlite written by nym-client-core-gateways-storage {CRATES} \
                (each file gzip, then base64), and what the same crate reads back from it. \
                'checkpointed' is a single self-contained file; 'as_left_on_disk' is exactly what \
                a killed process leaves behind: nearly everything is still in the write-ahead log \
                (-wal)"
        ),
        "checkpointed_gzip_base64": packed(&checkpointed)?,
        "as_left_on_disk": {
            "main_gzip_base64": packed(&main)?,
            "wal_gzip_base64": packed(&log)?,
        },
        "expected": expected,
    }))
}

/// Store gateways of both kinds, with addresses and times of several shapes.
async fn fill(store: &OnDiskGatewaysDetails, rng: &mut ChaCha20Rng) -> Result<()> {
    let plain = published("ws://gw1.example.org:9000", None, 1_800_000_000_123_456_790)?;
    let both = published(
        "ws://gw2.example.org:9000",
        Some("ws://192.0.2.2:9000"),
        1_800_000_000_123_456_791,
    )?;
    // The URL parser drops the default port and the capitals.
    let secure = published(
        "wss://GW3.Example.ORG:443/mixnet",
        Some("ws://[2001:db8::3]:9000"),
        1_600_000_000_000_000_000,
    )?;
    let old = published("ws://192.0.2.4:80", None, 1_700_000_000_000_000_000)?;
    let gateways = [
        remote(rng, 1_760_000_001_000_000_000, plain)?,
        remote(rng, 1_760_000_002_000_000_000, both)?,
        remote(rng, 1_760_000_003_250_000_000, secure)?,
        remote(rng, 1_760_000_004_000_000_001, old)?,
        custom(rng, 1_760_000_005_999_999_999, None)?,
        custom(rng, 1_760_000_006_000_000_000, Some(b"embedded".to_vec()))?,
    ];
    for gateway in &gateways {
        store.store_gateway_details(gateway).await?;
    }
    let new = published(
        "ws://192.0.2.4:9004",
        Some("wss://gw4.example.org:9001"),
        1_800_000_000_120_000_000,
    )?;
    let refreshed = gateways[3].gateway_id();
    store
        .update_gateway_published_data(&refreshed, &new.try_into()?)
        .await?;
    for chosen in &gateways[..2] {
        let identity = chosen.gateway_id().to_base58_string();
        store.set_active_gateway(&identity).await?;
    }
    Ok(())
}

/// What the crate reads from a database, and from its log if it has one.
async fn read_back(main: &[u8], log: Option<&[u8]>) -> Result<Value> {
    let folder = tempfile::tempdir().context("making a folder for a copy")?;
    let database = folder.path().join(DEFAULT_GATEWAYS_DETAILS_DB_FILENAME);
    std::fs::write(&database, main).context("copying the database")?;
    if let Some(log) = log {
        std::fs::write(log_of(&database), log).context("copying the log")?;
    }
    let store = OnDiskGatewaysDetails::init(&database).await?;
    let active = store.active_gateway().await?.registration;
    let gateways = store.all_gateways().await?;
    Ok(json!({
        "active": active.map(|gateway| gateway.gateway_id().to_base58_string()),
        "gateways": gateways.iter().map(described).collect::<Vec<_>>(),
    }))
}

fn described(gateway: &GatewayRegistration) -> Value {
    let mut found = json!({
        "gateway_id": gateway.gateway_id().to_base58_string(),
        "type": gateway.details.typ().to_string(),
        "registered_unix": gateway.registration_timestamp.unix_timestamp(),
        "shared_key": null,
        "primary": null,
        "fallback": null,
        "expires_unix_nanos": null,
    });
    if let GatewayDetails::Remote(remote) = &gateway.details {
        let published = &remote.published_data;
        let fallback = published.listeners.fallback.as_ref();
        let expires = published.expiration_timestamp.unix_timestamp_nanos();
        found["shared_key"] = json!(hex::encode(remote.shared_key.as_bytes()));
        found["primary"] = json!(published.listeners.primary.as_str());
        found["fallback"] = json!(fallback.map(|url| url.as_str()));
        found["expires_unix_nanos"] = json!(expires.to_string());
    }
    found
}

fn packed(file: &[u8]) -> Result<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(file)?;
    Ok(STANDARD.encode(encoder.finish()?))
}
