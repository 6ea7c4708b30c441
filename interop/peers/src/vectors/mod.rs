//! The vector files of `tests/vectors`, made anew by the published crates.
//!
//! One module makes one file. What we draw comes from a generator with a seed; what the crates draw
//! from the system themselves (nonces, ephemeral keys) differs from run to run. The tests read
//! whatever cases a file has. `interop/next` compiles this module too, against the crates of 2.0.0,
//! and without the feature `sdk`: nym-sdk is not among them.

#[cfg(feature = "sdk")]
mod apis;
mod directory;
mod gateway;
mod nodes;
mod pipeline;
mod sphinx;
mod storage;
pub mod support;

pub use directory::env_files::child_main;

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use std::path::Path;

/// Everything that `write` can make.
const FILES: &[&str] = &[
    "sphinx.json",
    "pipeline.json",
    "gateway.json",
    "nodes.json",
    "directory.json",
    #[cfg(feature = "sdk")]
    "apis.json",
    "rust_config_dir.tar",
];

/// Write all files, or the one named `only`, into `directory`.
pub async fn write(directory: &Path, seed: u64, only: Option<&str>) -> Result<()> {
    ensure!(
        only.is_none_or(|name| FILES.contains(&name)),
        "no such vector file; there are {}",
        FILES.join(", ")
    );
    std::fs::create_dir_all(directory)
        .with_context(|| format!("making {}", directory.display()))?;
    for &file in FILES {
        if only.is_some_and(|name| name != file) {
            continue;
        }
        let content = content(file, seed)
            .await
            .with_context(|| format!("making {file}"))?;
        let path = directory.join(file);
        std::fs::write(&path, &content).with_context(|| format!("writing {}", path.display()))?;
        crate::report(json!({"event": "written", "file": file, "bytes": content.len()}));
    }
    Ok(())
}

async fn content(file: &str, seed: u64) -> Result<Vec<u8>> {
    let value: Value = match file {
        "sphinx.json" => sphinx::make(seed)?,
        "pipeline.json" => pipeline::make(seed)?,
        "gateway.json" => gateway::make(seed).await?,
        "nodes.json" => nodes::make(seed)?,
        "directory.json" => directory::make(seed)?,
        #[cfg(feature = "sdk")]
        "apis.json" => apis::make(seed).await?,
        _ => return storage::config_directory(seed).await,
    };
    let mut text = serde_json::to_vec_pretty(&value)?;
    text.push(b'\n');
    Ok(text)
}
