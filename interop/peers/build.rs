//! Makes the stream module that nym-sdk keeps private reachable for the vector generator.
//!
//! The generated file is included by `src/vectors/apis/stream/sdk.rs`. It holds no copy in this
//! repository: two files of the published crate are compiled from where cargo has unpacked them, and
//! of a third the parts that need no running client are cut out. The version of nym-sdk is pinned in
//! Cargo.toml; another one may need other marks here.

use serde_json::Value;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// Files of the module that are compiled whole.
const WHOLE: [&str; 2] = ["protocol", "mixnet_stream"];

/// Parts of the module's `mod.rs`: the line a part starts with, and the one that follows it.
const PARTS: [(&str, &str); 2] = [
    // The routing table, its limits, and what the router hands to a listener.
    (
        "/// Default idle timeout before a stream is considered stale",
        "/// Owns the router task and the shared state",
    ),
    // The router.
    (
        "/// Background loop that demuxes incoming mixnet messages",
        "/// Lazily initialise the stream subsystem",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let module = directory_of("nym-sdk")?.join("src/mixnet/stream");
    let mut generated = String::new();
    for name in WHOLE {
        let path = module.join(name).with_extension("rs");
        // The vectors use a part of these files; what else is in them is for the SDK itself.
        generated += &format!("#[allow(dead_code)]\n#[path = {path:?}]\npub(super) mod {name};\n");
    }
    let path = module.join("mod.rs");
    let source = fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
    for (start, end) in PARTS {
        generated += part(&source, start, end).map_err(|missing| format!("{path:?}: {missing}"))?;
    }
    fs::write(
        Path::new(&env::var("OUT_DIR")?).join("stream.rs"),
        generated,
    )?;
    Ok(())
}

/// Where the source of a package lies, of the version that Cargo.lock names.
fn directory_of(package: &str) -> Result<PathBuf, Box<dyn Error>> {
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        // Without this, cargo asks for the packages of all platforms, and a build fetches one's only.
        .args(["--filter-platform", &env::var("TARGET")?])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("cargo metadata failed".into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let manifest = metadata["packages"]
        .as_array()
        .and_then(|packages| packages.iter().find(|each| each["name"] == package))
        .and_then(|found| found["manifest_path"].as_str())
        .ok_or_else(|| format!("cargo metadata names no manifest of {package}"))?;
    Ok(Path::new(manifest).with_file_name(""))
}

/// The text from the line that starts with `start` up to the one that starts with `end`.
fn part<'a>(source: &'a str, start: &str, end: &str) -> Result<&'a str, String> {
    let find = |mark: &str, from: usize| {
        let place = source[from..].find(&format!("\n{mark}"));
        place
            .map(|at| from + at + 1)
            .ok_or_else(|| format!("no line starts with {mark:?}; is this another nym-sdk?"))
    };
    let from = find(start, 0)?;
    Ok(&source[from..find(end, from)?])
}
