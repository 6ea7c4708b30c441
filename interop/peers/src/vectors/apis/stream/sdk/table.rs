//! The routing table of nym-sdk, driven step by step.

use super::{clock, StreamId, StreamMap};
use serde::{Serialize, Serializer};
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::UnboundedReceiver;

/// A stream id, as the files write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub u64);

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<&StreamId> for Name {
    fn from(id: &StreamId) -> Self {
        Self(id.as_u64())
    }
}

/// What happens to a table.
#[derive(Clone, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Operation {
    /// A stream is opened, from either side.
    Register { stream: Name },
    /// A Data frame arrives.
    Data {
        stream: Name,
        seq: u32,
        #[serde(serialize_with = "as_hex")]
        payload: Vec<u8>,
    },
    /// Data frames arrive from number `from` up to but not with `to`; each carries its number.
    DataRange { stream: Name, from: u32, to: u32 },
    /// Time passes.
    AdvanceMs { ms: u64 },
    /// The router sweeps, with this limit on idle streams.
    Cleanup { idle_ms: u64 },
    /// The application lets go of its reader.
    DropReader { stream: Name },
    /// A stream is taken out of the table.
    Remove { stream: Name },
}

fn as_hex<S: Serializer>(payload: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(payload))
}

/// Apply operations to a new table, and say after each one what can be seen.
pub async fn replay(operations: &[Operation]) -> Vec<Value> {
    let mut replay = Replay {
        table: StreamMap::new(),
        readers: BTreeMap::new(),
    };
    let mut steps = Vec::new();
    for operation in operations {
        let result = replay.apply(operation).await;
        steps.push(replay.step(operation, result).await);
    }
    steps
}

struct Replay {
    table: StreamMap,
    readers: BTreeMap<Name, UnboundedReceiver<Vec<u8>>>,
}

impl Replay {
    /// Do it; registering says whether it worked.
    async fn apply(&mut self, operation: &Operation) -> Option<&'static str> {
        match operation {
            Operation::Register { stream } => {
                let reader = self
                    .table
                    .register_stream(StreamId::from_u64(stream.0))
                    .await;
                let Some(reader) = reader else {
                    return Some("duplicate");
                };
                self.readers.insert(*stream, reader);
                return Some("ok");
            }
            Operation::Data {
                stream,
                seq,
                payload,
            } => {
                self.data(*stream, *seq, payload.clone()).await;
            }
            Operation::DataRange { stream, from, to } => {
                for seq in *from..*to {
                    self.data(*stream, seq, seq.to_be_bytes().to_vec()).await;
                }
            }
            Operation::AdvanceMs { ms } => clock::advance(Duration::from_millis(*ms)),
            Operation::Cleanup { idle_ms } => {
                self.table
                    .cleanup_stale(Duration::from_millis(*idle_ms))
                    .await;
            }
            Operation::DropReader { stream } => drop(self.readers.remove(stream)),
            Operation::Remove { stream } => {
                self.table.remove(&StreamId::from_u64(stream.0)).await;
            }
        }
        None
    }

    async fn data(&self, stream: Name, seq: u32, payload: Vec<u8>) {
        let id = StreamId::from_u64(stream.0);
        self.table.send_to_stream(&id, seq, payload).await;
    }

    async fn step(&mut self, operation: &Operation, result: Option<&str>) -> Value {
        let delivered = self.delivered();
        let table = self.table.inner.lock().await;
        let streams = table.streams.iter().map(|(id, entry)| {
            let state = json!({"next_seq": entry.next_seq, "pending": entry.pending.len()});
            (Name::from(id), state)
        });
        let orphans = table.orphans.iter().map(|(id, orphan)| {
            let stream = Name::from(id);
            (
                stream,
                json!({"stream": stream, "frames": orphan.pending.len()}),
            )
        });
        json!({
            "op": operation,
            "result": result,
            "delivered": delivered,
            "streams": streams.collect::<BTreeMap<_, _>>(),
            "orphans": orphans.collect::<BTreeMap<_, _>>().into_values().collect::<Vec<_>>(),
            "orphan_streams": table.orphans.len(),
        })
    }

    /// What the readers got since the last step. A closed one gets an end each time it looks.
    fn delivered(&mut self) -> BTreeMap<Name, Vec<String>> {
        let mut delivered = BTreeMap::new();
        for (stream, reader) in &mut self.readers {
            let mut got = Vec::new();
            loop {
                match reader.try_recv() {
                    Ok(payload) => got.push(hex::encode(payload)),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        got.push("EOF".to_owned());
                        break;
                    }
                }
            }
            if !got.is_empty() {
                delivered.insert(*stream, got);
            }
        }
        delivered
    }
}
