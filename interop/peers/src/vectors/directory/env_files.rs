//! `env_files`: which network `setup_env` and `new_from_env` of nym-network-defaults find.
//!
//! Both work on the environment of the whole process and panic when they do not like it. So each
//! case is measured in a process of its own: this executable again, with nothing in its environment
//! but the case and the variable that tells it so.

mod cases;

use crate::line::CRATES;
use anyhow::{ensure, Context, Result};
use cases::Case;
use nym_network_defaults::{setup_env, NymNetworkDetails};
use serde_json::{json, Value};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The path of the env file, empty for none; set only where a case is to be measured.
const CHILD: &str = "NYMPROXY_VECTORS_ENV_FILE";

/// The section.
pub fn make() -> Result<Value> {
    let cases = cases::CASES
        .iter()
        .map(|case| measure(case).context(case.description))
        .collect::<Result<Vec<_>>>()?;
    Ok(json!({
        "description": format!(
            "setup_env(file) followed by NymNetworkDetails::new_from_env, measured with \
                nym-network-defaults {CRATES} and dotenvy 0.15.7 in an otherwise empty process \
                environment"
        ),
        "cases": cases,
    }))
}

fn measure(case: &Case) -> Result<Value> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(case.file.unwrap_or_default().as_bytes())?;
    let path = case.file.map(|_| file.path());
    let output = Command::new(std::env::current_exe()?)
        .env_clear()
        .envs(case.process_env.iter().copied())
        .env(CHILD, path.unwrap_or("".as_ref()))
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "the child process failed: {}",
        output.status
    );
    let mut measured: Value =
        serde_json::from_slice(&output.stdout).context("the child process did not measure")?;
    measured["description"] = json!(case.description);
    measured["file"] = json!(case.file);
    let process_env: serde_json::Map<_, _> = case
        .process_env
        .iter()
        .map(|(name, value)| (name.to_string(), json!(value)))
        .collect();
    measured["process_env"] = process_env.into();
    Ok(measured)
}

/// If this process was started to measure a case, do it, print the result and return true.
///
/// To be called before anything else, by the executable that `make` runs in.
pub fn child_main() -> bool {
    let Some(path) = std::env::var_os(CHILD) else {
        return false;
    };
    std::env::remove_var(CHILD);
    let path = (!path.is_empty()).then(|| PathBuf::from(path));
    // The message of a panic is part of the result, not of the log.
    std::panic::set_hook(Box::new(|_| ()));
    let details = std::panic::catch_unwind(|| {
        setup_env(path);
        NymNetworkDetails::new_from_env()
    });
    println!(
        "{}",
        details.map_or_else(|panic| refused(panic.as_ref()), found)
    );
    true
}

fn found(details: NymNetworkDetails) -> Value {
    let chain = details.endpoints.first();
    json!({
        "outcome": "ok",
        "network_name": details.network_name,
        "nym_api_urls": crate::line::nym_api_urls(&details),
        "gateway_list_api_url": chain.and_then(|chain| chain.api_url.as_ref()),
        "nyxd_url": chain.map(|chain| &chain.nyxd_url),
    })
}

fn refused(panic: &(dyn std::any::Any + Send)) -> Value {
    let message: &str = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message,
        _ => "a panic without a message",
    };
    json!({"outcome": "panic", "message": message})
}
