//! The vector files of ../peers by the crates of 2.0.0, and what those have and 1.21.6 has not.
//!
//! The generator is the same source; what the two lines of crates call differently is in `line`.
//! Left out is what needs nym-sdk (apis.json): its version 2.0.0 is not published. Added are Sphinx
//! packets of version 260, whose SURBs hold the last hop's payload key seed alone, stream frames of
//! nym-lp-data with the types that 2.0.0 added, and private keys under a passphrase.

mod key_files;
mod line;
mod lp_frames;
mod single_seed;
#[path = "../../peers/src/vectors/mod.rs"]
mod vectors;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about = "Makes vector files for nymproxy's tests, by the crates of 2.0.0")]
struct Arguments {
    /// Where the files go
    directory: PathBuf,
    /// Another one draws other keys and messages
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this file
    #[arg(long)]
    only: Option<String>,
}

/// What 1.21.6 has not.
type Maker = fn(u64) -> Result<Value>;
const ADDED: [(&str, Maker); 3] = [
    ("sphinx_260.json", single_seed::make),
    ("lp_frames.json", lp_frames::make),
    ("encrypted_keys.json", key_files::make),
];

/// Print one JSON object on a line of its own.
pub fn report(value: Value) {
    println!("{value}");
}

#[tokio::main]
async fn main() -> Result<()> {
    if vectors::child_main() {
        return Ok(());
    }
    let arguments = Arguments::parse();
    let only = arguments.only.as_deref();
    std::fs::create_dir_all(&arguments.directory)?;
    let added = ADDED
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name));
    for (name, make) in added {
        write(&arguments.directory, name, &make(arguments.seed)?)?;
    }
    if ADDED.iter().any(|(name, _)| only == Some(*name)) {
        return Ok(());
    }
    vectors::write(&arguments.directory, arguments.seed, only).await
}

fn write(directory: &Path, name: &str, content: &Value) -> Result<()> {
    let path = directory.join(name);
    let mut text = serde_json::to_vec_pretty(content)?;
    text.push(b'\n');
    std::fs::write(&path, &text).with_context(|| format!("writing {}", path.display()))?;
    report(json!({"event": "written", "file": name, "bytes": text.len()}));
    Ok(())
}
