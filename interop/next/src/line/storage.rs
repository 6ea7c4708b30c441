//! The storage of a client. `StoragePaths` is of nym-sdk, which is not published in 2.0.0: here is
//! what it does with the crates below it, under the same file names, which are theirs.

use anyhow::Result;
use nym_client_core::client::base_client::non_wasm_helpers::{
    setup_fs_gateways_storage, setup_fs_reply_surb_backend,
};
use nym_client_core::client::base_client::storage::{OnDiskGatewaysDetails, OnDiskPersistent};
use nym_client_core::client::key_manager::persistence::OnDiskKeys;
use nym_client_core::config::disk_persistence::{
    ClientKeysPaths, DEFAULT_ACK_KEY_FILENAME, DEFAULT_CREDENTIALS_DB_FILENAME,
    DEFAULT_GATEWAYS_DETAILS_DB_FILENAME, DEFAULT_PRIVATE_ENCRYPTION_KEY_FILENAME,
    DEFAULT_PRIVATE_IDENTITY_KEY_FILENAME, DEFAULT_PUBLIC_ENCRYPTION_KEY_FILENAME,
    DEFAULT_PUBLIC_IDENTITY_KEY_FILENAME, DEFAULT_REPLY_SURB_DB_FILENAME,
};
use nym_client_core::config::ReplySurbs;
use nym_credential_storage::persistent_storage::PersistentStorage;
use std::path::{Path, PathBuf};

pub use nym_client_core::client::base_client::storage::gateways_storage::{
    GatewayRegistration, GatewaysDetailsStore,
};
pub use nym_client_core::client::base_client::storage::MixnetClientStorage;
pub use nym_client_core::client::key_manager::ClientKeys;
pub use nym_client_core::client::replies::reply_storage::fs_backend::Backend as ReplyStorage;
pub use nym_client_core::client::replies::reply_storage::ReplyStorageBackend;
pub use nym_credential_storage::storage::Storage as CredentialStorage;

pub struct StoragePaths {
    keys: ClientKeysPaths,
    pub credential_database_path: PathBuf,
    pub reply_surb_database_path: PathBuf,
    pub gateway_registrations: PathBuf,
}

impl StoragePaths {
    pub fn new_from_dir(directory: impl AsRef<Path>) -> Result<Self> {
        let directory = directory.as_ref();
        Ok(Self {
            keys: ClientKeysPaths {
                private_identity_key_file: directory.join(DEFAULT_PRIVATE_IDENTITY_KEY_FILENAME),
                public_identity_key_file: directory.join(DEFAULT_PUBLIC_IDENTITY_KEY_FILENAME),
                private_encryption_key_file: directory
                    .join(DEFAULT_PRIVATE_ENCRYPTION_KEY_FILENAME),
                public_encryption_key_file: directory.join(DEFAULT_PUBLIC_ENCRYPTION_KEY_FILENAME),
                ack_key_file: directory.join(DEFAULT_ACK_KEY_FILENAME),
            },
            credential_database_path: directory.join(DEFAULT_CREDENTIALS_DB_FILENAME),
            reply_surb_database_path: directory.join(DEFAULT_REPLY_SURB_DB_FILENAME),
            gateway_registrations: directory.join(DEFAULT_GATEWAYS_DETAILS_DB_FILENAME),
        })
    }

    pub async fn initialise_default_persistent_storage(&self) -> Result<OnDiskPersistent> {
        let surbs = ReplySurbs::default();
        Ok(OnDiskPersistent::new(
            self.on_disk_key_storage_spec(),
            setup_fs_reply_surb_backend(&self.reply_surb_database_path, &surbs).await?,
            self.persistent_credential_storage().await?,
            self.on_disk_gateway_details_storage().await?,
        ))
    }

    pub async fn persistent_credential_storage(&self) -> Result<PersistentStorage> {
        Ok(PersistentStorage::init(&self.credential_database_path).await?)
    }

    pub fn on_disk_key_storage_spec(&self) -> OnDiskKeys {
        OnDiskKeys::new(self.keys.clone())
    }

    pub async fn on_disk_gateway_details_storage(&self) -> Result<OnDiskGatewaysDetails> {
        Ok(setup_fs_gateways_storage(&self.gateway_registrations).await?)
    }
}
