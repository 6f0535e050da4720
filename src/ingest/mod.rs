//! Ways in. Every way — plain frames, `telltale.v1`, line protocol — turns bytes into [`Batch`]es of resolved readings and
//! hands them to the one writer; the [`Outcome`] comes back when the commit is on disk.
//!
//! socket (shell) -> plain | compact (decode, pure) -> session (decides each reading, pure) -> queue -> writer (one thread).

pub mod agents;
pub mod compact;
mod forms;
mod gateway;
mod late;
pub mod line_protocol;
mod mapping;
pub mod plain;
pub mod queue;
pub mod refusals;
pub mod session;
mod shared;
pub mod socket;
pub(crate) mod times;
mod values;
pub mod way;
pub mod writer;

pub use forms::FormLimits;
pub(crate) use forms::shown;
pub(crate) use mapping::fits;
pub use times::build_date;

use telltale_wire::{BatchCode, RowCode};
use tokio::sync::oneshot;

use crate::model::{AgentSeq, MetaChange, Position, Reading, TimeNs, ValueType};

/// Readings that passed the door, in the order they were sent. The writer decides new, rewritten, duplicate, `type_changed`.
#[derive(Debug)]
pub struct Batch {
    pub readings: Vec<Reading>,
    pub meta: Vec<ToldMeta>,
    pub agent: Option<AgentSeq>,
    pub received: TimeNs,
    pub reply: oneshot::Sender<Outcome>,
}

/// A unit or kind, with the type of the value that it came with: what a reading says that is refused for its type changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldMeta {
    pub change: MetaChange,
    pub with: ValueType,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// Durable. Readings that are not in `refused` are stored or were there already.
    Committed {
        /// The newest commit that holds any of it; a batch of duplicates names the newest commit at that time.
        position: Position,
        stored: usize,
        duplicate: usize,
        /// By index into `Batch::readings`, ascending.
        refused: Vec<(usize, Refusal)>,
    },
    /// Not taken now, nothing of it stored.
    Later(Later),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Later {
    pub code: BatchCode,
    pub after_ms: u32,
    pub message: String,
}

/// Why one reading was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: RowCode,
    pub message: String,
}

impl Refusal {
    pub fn new(code: RowCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
