//! `key_rotation` and `performance_rounding`: numbers that follow from what the directory says.

use super::network::ROTATIONS;
use anyhow::Result;
use nym_mixnet_contract_common::reward_params::Performance;
use nym_sphinx_params::SphinxKeyRotation;
use serde_json::{json, Value};

const EPOCHS: [u32; 11] = [0, 79, 80, 81, 89, 90, 99, 100, 110, 17_245, 0xFFFF_0000];
const ROTATION_IDS: [u32; 10] = [
    0,
    1,
    2,
    3,
    1716,
    1717,
    0x8000_0001,
    0xFFFF_FFFD,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
];

const PERFORMANCES: [&str; 20] = [
    "0",
    "0.0",
    "0.07",
    "0.0099",
    "0.010000000000000001",
    "0.29",
    "0.49",
    "0.499",
    "0.4999999999999999",
    "0.5",
    "0.500000000000000000",
    "0.509",
    "0.57",
    "0.58",
    "0.95",
    "0.99",
    "0.989999999999999991",
    "0.999",
    "1",
    "1.00",
];

/// Which rotation an epoch has, and how packets are marked with it.
pub fn key_rotation() -> Value {
    let cases = EPOCHS.map(|epoch| {
        let rotation_id = ROTATIONS.key_rotation_id(epoch);
        json!({
            "epoch": epoch,
            "rotation_id": rotation_id,
            "start_epoch": ROTATIONS.current_rotation_starting_epoch_id(epoch),
            "next_start_epoch": ROTATIONS.next_rotation_starting_epoch_id(epoch),
            "packet_marker": SphinxKeyRotation::from_key_rotation_id(rotation_id) as u8,
        })
    });
    let markers = ROTATION_IDS.map(|id| {
        json!({"rotation_id": id, "marker": SphinxKeyRotation::from_key_rotation_id(id) as u8})
    });
    json!({
        "validity_epochs": ROTATIONS.validity_epochs,
        "initial_epoch_id": ROTATIONS.initial_epoch_id,
        "cases": cases,
        "markers": markers,
    })
}

/// Whole percent, as the limits of a client are compared with.
pub fn performance_rounding() -> Result<Vec<Value>> {
    PERFORMANCES
        .iter()
        .map(|text| {
            let performance: Performance = serde_json::from_value(json!(text))?;
            Ok(json!({"json": text, "round_to_integer": performance.round_to_integer()}))
        })
        .collect()
}
