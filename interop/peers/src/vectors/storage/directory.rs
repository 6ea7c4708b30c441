//! rust_config_dir.tar: the directory of an SDK client after one session, and what is in it.

use super::{custom, one_file, published, read, remote};
use crate::line::ChaCha20Rng;
use crate::line::{
    ClientKeys, CredentialStorage, GatewayRegistration, GatewaysDetailsStore, MixnetClientStorage,
    ReplyStorage, ReplyStorageBackend, StoragePaths, CRATES,
};
use crate::vectors::support::random;
use anyhow::{bail, Context, Result};
use nym_client_core::init::types::InitialisationResult;
use nym_client_core_gateways_storage::GatewayDetails;
use nym_sphinx::anonymous_replies::SurbEncryptionKey;
use serde_json::{json, Value};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::UNIX_EPOCH;
use tar::{Builder, EntryType, Header};
use time::OffsetDateTime;

/// Name of the directory in the archive.
const NAME: &str = "rust_config_dir";

/// The bytes of the archive.
pub async fn config_directory(seed: u64) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir().context("making a folder for the directory")?;
    let directory = folder.path().join(NAME);
    let paths = StoragePaths::new_from_dir(&directory)?;
    session(&paths, &mut random(seed, "storage directory")).await?;

    let mut archive = Builder::new(Vec::new());
    append(&mut archive, &directory, &format!("{NAME}/"))?;
    let mut files = std::fs::read_dir(&directory)?.collect::<std::io::Result<Vec<_>>>()?;
    files.sort_by_key(|file| file.file_name());
    for file in files {
        let name = file.file_name();
        let name = format!("{NAME}/{}", name.to_string_lossy());
        append(&mut archive, &file.path(), &name)?;
    }
    // The stores are opened again only now that their files are in the archive as they were left.
    let mut expected = serde_json::to_vec_pretty(&read_back(&paths).await?)?;
    expected.push(b'\n');
    let path = folder.path().join("expected.json");
    std::fs::write(&path, expected).context("writing what is expected")?;
    append(&mut archive, &path, &format!("{NAME}/expected.json"))?;
    Ok(archive.into_inner()?)
}

/// What an SDK client stores from its first start to a clean end, in the same order.
async fn session(paths: &StoragePaths, rng: &mut ChaCha20Rng) -> Result<()> {
    let storage = paths.initialise_default_persistent_storage().await?;
    ClientKeys::generate_new(rng)
        .persist_keys(storage.key_store())
        .await?;
    register(storage.gateway_details_store(), rng).await?;

    let (mut replies, credentials, gateways) = storage.into_runtime_stores();
    let state = replies
        .load_surb_storage(OffsetDateTime::UNIX_EPOCH)
        .await?;
    replies.start_storage_session().await?;
    let sent = (0..2).map(|_| SurbEncryptionKey::new(rng)).collect();
    state.key_storage().insert_multiple(sent);
    replies.flush_surb_storage(&state).await?;
    replies.stop_storage_session().await?;
    credentials.close().await;
    drop(gateways);
    close(paths).await
}

/// Wait until all databases are closed.
async fn close(paths: &StoragePaths) -> Result<()> {
    one_file(&paths.gateway_registrations, || async {
        drop(paths.on_disk_gateway_details_storage().await?);
        Ok(())
    })
    .await?;
    one_file(&paths.credential_database_path, || async {
        paths.persistent_credential_storage().await?.close().await;
        Ok(())
    })
    .await?;
    let replies = &paths.reply_surb_database_path;
    one_file(replies, || async {
        ReplyStorage::try_load(replies).await?.shutdown().await;
        Ok(())
    })
    .await
}

/// Register with several gateways, and choose the second one.
async fn register<S: GatewaysDetailsStore>(store: &S, rng: &mut ChaCha20Rng) -> Result<()> {
    let first = published("ws://127.0.0.1:9004", None, 4_071_006_245_000_000_000)?;
    let active = published(
        "ws://127.0.0.1:9005",
        Some("ws://192.0.2.7:9000"),
        4_071_006_245_120_000_000,
    )?;
    let expired = published(
        "wss://gw3.example.org/",
        Some("ws://[2001:db8::7]:9000"),
        1_767_830_400_123_456_789,
    )?;
    let gateways = [
        remote(rng, 1_767_225_600_000_000_000, first)?,
        remote(rng, 1_767_225_600_500_000_000, active)?,
        remote(rng, 1_767_225_600_000_000_007, expired)?,
        custom(rng, 1_767_225_601_000_000_000, None)?,
    ];
    for gateway in &gateways {
        store.store_gateway_details(gateway).await?;
    }
    let identity = gateways[1].gateway_id().to_base58_string();
    store.set_active_gateway(&identity).await?;
    Ok(())
}

/// Add a file or directory of the disk, with its mode and time but without its owner.
fn append(archive: &mut Builder<Vec<u8>>, source: &Path, name: &str) -> Result<()> {
    let metadata = source.metadata()?;
    let changed = metadata.modified()?.duration_since(UNIX_EPOCH)?;
    let mut header = Header::new_gnu();
    header.set_mode(metadata.permissions().mode() & 0o7777);
    header.set_mtime(changed.as_secs());
    header.set_uid(0);
    header.set_gid(0);
    let content = if metadata.is_dir() {
        header.set_entry_type(EntryType::Directory);
        Vec::new()
    } else {
        header.set_entry_type(EntryType::Regular);
        read(source)?
    };
    header.set_size(content.len() as u64);
    archive
        .append_data(&mut header, name, content.as_slice())
        .with_context(|| format!("adding {name}"))
}

/// What the crates read from the directory.
async fn read_back(paths: &StoragePaths) -> Result<Value> {
    let keys = paths.on_disk_key_storage_spec();
    let store = paths.on_disk_gateway_details_storage().await?;
    let client = InitialisationResult::try_load(&keys, &store).await?;
    let gateways = store.all_gateways().await?;
    let identity = client.client_keys.identity_keypair();
    let encryption = client.client_keys.encryption_keypair();
    let (identity_public, encryption_public) = (*identity.public_key(), *encryption.public_key());
    let address = client.client_address();
    Ok(json!({
        "description": "Contents of rust_config_dir.tar: a data directory written by the real \
            client crates (SDK StoragePaths layout)",
        "source": format!(
            "StoragePaths of nym-sdk 1.21.6; nym-client-core (OnDiskKeys, ClientKeys, \
                setup_fs_reply_surb_backend, InitialisationResult), \
                nym-client-core-gateways-storage, nym-client-core-surb-storage, \
                nym-credential-storage, nym-crypto, nym-pemstore {CRATES}"
        ),
        "identity_private_seed_hex": hex::encode(identity.private_key().to_bytes()),
        "identity_public_hex": hex::encode(identity_public.to_bytes()),
        "identity_public_bs58": identity_public.to_base58_string(),
        "encryption_private_hex": hex::encode(encryption.private_key().to_bytes()),
        "encryption_public_hex": hex::encode(encryption_public.to_bytes()),
        "encryption_public_bs58": encryption_public.to_base58_string(),
        "ack_key_hex": hex::encode(client.client_keys.ack_key().as_bytes()),
        "nym_address": address.to_string(),
        "recipient_bytes_hex": hex::encode(address.to_bytes()),
        "active_gateway_bs58": client.gateway_id().to_base58_string(),
        "active_gateway_listener": listeners(&client.gateway_registration)?,
        "gateways": gateways.iter().map(described).collect::<Vec<_>>(),
        "reply_store": replies(&paths.reply_surb_database_path).await?,
    }))
}

fn listeners(gateway: &GatewayRegistration) -> Result<Value> {
    let listeners = match &gateway.details {
        GatewayDetails::Remote(remote) => &remote.published_data.listeners,
        GatewayDetails::Custom(_) => bail!("the active gateway is a custom one"),
    };
    Ok(json!({
        "primary": listeners.primary.as_str(),
        "fallback": listeners.fallback.as_ref().map(|url| url.as_str()),
    }))
}

fn described(gateway: &GatewayRegistration) -> Value {
    let nanoseconds = |moment: OffsetDateTime| moment.unix_timestamp_nanos().to_string();
    let details = &gateway.details;
    json!({
        "gateway_id_bs58": details.gateway_id().to_base58_string(),
        "type": details.typ().to_string(),
        "registered_unix_nanos": nanoseconds(gateway.registration_timestamp),
        "shared_key_hex": details.shared_key().map(|key| hex::encode(key.as_bytes())),
        "expiration_unix_nanos": details.details_exipration().map(nanoseconds),
    })
}

/// The reply store as the next session would find it.
async fn replies(database: &Path) -> Result<Value> {
    // It refuses a store that was never flushed.
    let store = ReplyStorage::try_load(database).await?;
    let state = store.load_surb_storage(OffsetDateTime::UNIX_EPOCH).await?;
    store.shutdown().await;
    let surbs = state.surbs_storage_ref();
    let mut keys: Vec<_> = state
        .key_storage_ref()
        .as_raw_iter()
        .map(|entry| {
            json!({
                "digest_hex": hex::encode(entry.key()),
                "key_hex": hex::encode(entry.value().as_bytes()),
                "sent_at_unix_nanos": entry.value().sent_at.unix_timestamp_nanos().to_string(),
            })
        })
        .collect();
    keys.sort_by_key(|key| key["digest_hex"].to_string());
    Ok(json!({
        "flushed": true,
        "min_threshold": surbs.min_surb_threshold(),
        "max_threshold": surbs.max_surb_threshold(),
        "reply_keys": keys,
    }))
}
