//! The limits of one connection. The hub decides them and tells the agent in `welcome`; both sides use the same struct.
//!
//! Frame limits are enforced by this crate while it reads. Limits of one reading (`name_bytes`, `label_value_bytes`,
//! `label_count`, `text_bytes`) refuse that reading alone, so the hub's session checks them; an agent may check before it sends.

/// What a connection may carry. `Default` holds the hub's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame. It also bounds the text of one batch, counted once for every reading that holds it.
    pub frame_bytes: u32,
    /// Readings of one batch, and rows of one group.
    pub batch_readings: u32,
    /// Aliases of one connection: every alias is below this number.
    pub aliases: u32,
    /// Bytes of a device id, a metric name, a label's or attribute's name, a unit, an agent id, or a program's name and version.
    pub name_bytes: u32,
    /// Bytes of a label's or attribute's value.
    pub label_value_bytes: u32,
    /// Labels of one series, and attributes of one hello.
    pub label_count: u32,
    /// Bytes of one text value.
    pub text_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 4 << 20,
            batch_readings: 50_000,
            aliases: 100_000,
            name_bytes: 256,
            label_value_bytes: 1024,
            label_count: 32,
            text_bytes: 16 << 10,
        }
    }
}
