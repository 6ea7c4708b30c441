//! Vectors of what the published crates of 2.0.0 have and those of 1.21.6 have not.
//!
//! Sphinx packets of version 260, whose SURBs hold the last hop's payload key seed alone, so that
//! who uses one cannot know what the payload looks like at any hop.

mod single_seed;

use anyhow::{Context, Result};
use clap::Parser;
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Makes sphinx_260.json for nymproxy's tests, by sphinx-packet 0.8.0")]
struct Arguments {
    /// Where the file goes
    directory: PathBuf,
    /// Another one draws other keys and messages
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.directory)?;
    let path = arguments.directory.join("sphinx_260.json");
    let mut text = serde_json::to_vec_pretty(&single_seed::make(arguments.seed)?)?;
    text.push(b'\n');
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}
