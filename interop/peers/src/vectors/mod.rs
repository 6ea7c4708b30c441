//! The vector files of `tests/vectors`, made anew by the real crates.
//!
//! One module makes one file. What is drawn at random comes from a generator with a seed, so that
//! a run can be repeated; the tests read whatever cases a file has.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

/// Makes one file, from a seed.
type Maker = fn(u64) -> Result<Value>;

/// The files, and what makes them.
const FILES: &[(&str, Maker)] = &[];

/// Write all files, or the one named `only`, into `directory`.
pub fn write(directory: &Path, seed: u64, only: Option<&str>) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for (name, make) in FILES {
        if only.is_some_and(|wanted| wanted != *name) {
            continue;
        }
        let value = make(seed).with_context(|| format!("making {name}"))?;
        let text = serde_json::to_string_pretty(&value)?;
        std::fs::write(directory.join(name), text + "\n")?;
        crate::report(serde_json::json!({"event": "written", "file": name}));
    }
    Ok(())
}
