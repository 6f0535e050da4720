//! A batch: many readings in columns. A *group* is a set of columns that share one time column, so several metrics
//! measured at one time carry it once; a plain column is a group of one.
//!
//! | module | holds |
//! |---|---|
//! | `mod` | the structure: batch, group, column, and the place of a reading |
//! | `time` | time columns |
//! | `values` | the encodings of values, and how they are decoded |
//! | `presence` | bitmaps: which rows of a group a column has |
//! | `rows` | the encoder's choice of who shares a time column |
//! | `choose` | the encoder's choice of the smallest exact encoding |
//! | `builder` | readings in any order -> one frame |
//!
//! `Batch::parse` walks the structure and checks every count; times and values are checked as they are decoded. A batch is
//! good only when all of it was decoded ([`Batch::check`]): take nothing from it before.
//!
//! The **place** of a reading is its number from 0, counted over the groups as they are on the wire, in a group over its
//! columns, in a column over the rows it has. Rows that a column does not have are not counted. Acks name readings by place.

mod builder;
mod choose;
mod presence;
mod rows;
mod time;
mod values;

pub use builder::{BatchBuilder, Full};
pub use presence::Presence;
pub use values::{ColumnBuf, Mixed, Texts, Value, Values};

use crate::error::WireError;
use crate::frame::tag;
use crate::limits::Limits;
use crate::reader::Reader;
use time::TimeBlock;
use values::Encoding;

/// Bytes that the shortest group and the shortest column take.
const GROUP_BYTES_MIN: u64 = 8;
const COLUMN_BYTES_MIN: u64 = 4;

/// Bit of a column's form byte: a presence bitmap follows.
const FORM_PRESENCE: u8 = 0x80;

/// A batch whose structure was checked.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    seq: u64,
    readings: u32,
    groups: usize,
    base_ns: i64,
    reader: Reader<'a>,
}

impl<'a> Batch<'a> {
    /// Reads a frame that must be a batch; [`crate::AgentFrame::parse`] takes any frame of an agent.
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, WireError> {
        match crate::frame::AgentFrame::parse(bytes, limits)? {
            crate::frame::AgentFrame::Batch(batch) => Ok(batch),
            _ => Err(WireError::UnknownType { found: bytes.first().copied().unwrap_or(0), expected: "3 batch" }),
        }
    }

    /// The sequence number of a batch frame, also of one that [`Batch::parse`] refuses, so that the refusal can name it.
    pub fn peek_seq(bytes: &[u8]) -> Option<u64> {
        let mut reader = Reader::new(bytes);
        (reader.u8("type").ok()? == tag::BATCH).then(|| reader.varint("batch.seq").ok())?
    }

    pub(crate) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, WireError> {
        let seq = reader.varint("batch.seq")?;
        let base_ns = reader.i64("batch.base_ns")?;
        let groups = reader.count("batch.groups", GROUP_BYTES_MIN)?;
        let start = *reader;
        let mut tally = Tally { readings: 0, text_bytes: 0 };
        for _ in 0..groups {
            let (group, rest) = Group::read(*reader, base_ns, tally.readings, limits)?;
            *reader = group.walk(rest, &mut tally, limits)?;
        }
        reader.end("batch")?;
        Ok(Self { seq, readings: tally.readings, groups, base_ns, reader: start })
    }

    /// Grows by one from batch to batch; see PROTOCOL.md.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// All readings of the batch.
    pub fn readings(&self) -> u32 {
        self.readings
    }

    /// Decodes all of it and drops what comes: after `Ok`, decoding it again cannot fail. Who acts on readings one by one
    /// asks here first, so that nothing of a bad batch is taken.
    pub fn check(&self, times: &mut Vec<i64>, buf: &mut ColumnBuf) -> Result<(), WireError> {
        for group in self.groups() {
            group.times(times)?;
            for column in group.columns() {
                column.decode_into(buf)?;
            }
        }
        Ok(())
    }

    pub fn groups(&self) -> impl Iterator<Item = Group<'a>> + use<'a> {
        let Self { groups, base_ns, mut reader, .. } = *self;
        let mut place = 0;
        (0..groups).map(move |_| {
            let (group, rest) = Group::read(reader, base_ns, place, &CHECKED).expect(WAS_CHECKED);
            let mut tally = Tally { readings: place, text_bytes: 0 };
            reader = group.walk(rest, &mut tally, &CHECKED).expect(WAS_CHECKED);
            place = tally.readings;
            group
        })
    }
}

const WAS_CHECKED: &str = "the same bytes were walked when the batch was parsed";

/// Limits for the second walk over bytes that passed the connection's own.
const CHECKED: Limits = Limits {
    frame_bytes: u32::MAX,
    batch_readings: u32::MAX,
    aliases: u32::MAX,
    name_bytes: u32::MAX,
    label_value_bytes: u32::MAX,
    label_count: u32::MAX,
    text_bytes: u32::MAX,
};

/// What a walk over the columns adds up, against the limits of a batch.
struct Tally {
    readings: u32,
    text_bytes: u64,
}

impl Tally {
    fn add(&mut self, column: &Column<'_>, limits: &Limits) -> Result<(), WireError> {
        let readings = u64::from(self.readings) + u64::from(column.readings);
        if readings > u64::from(limits.batch_readings) {
            return Err(WireError::over_batch("batch_readings", readings, limits.batch_readings));
        }
        self.readings += column.readings;
        // One constant text can stand for many readings, so few bytes could become many: what it stands for is counted.
        self.text_bytes += column.repeated_text_bytes()?;
        if self.text_bytes > u64::from(limits.frame_bytes) {
            return Err(WireError::over_batch("frame_bytes (text of the batch)", self.text_bytes, limits.frame_bytes));
        }
        Ok(())
    }
}

/// Columns that share one time column.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    rows: u32,
    times: TimeBlock<'a>,
    columns: usize,
    first_place: u32,
    /// Where the columns begin.
    reader: Reader<'a>,
}

impl<'a> Group<'a> {
    /// The head and the times; gives back the reader where the columns begin.
    fn read(mut reader: Reader<'a>, base_ns: i64, first_place: u32, limits: &Limits) -> Result<(Self, Reader<'a>), WireError> {
        let at = reader.at();
        let columns = reader.count("group.columns", COLUMN_BYTES_MIN)?;
        let rows = reader.varint("group.rows")?;
        if columns == 0 || rows == 0 {
            return Err(WireError::BadValue { part: "group.columns or group.rows", at, found: 0, expected: "at least 1" });
        }
        let Some(rows) = u32::try_from(rows).ok().filter(|&rows| rows <= limits.batch_readings) else {
            return Err(WireError::over_batch("batch_readings (rows of a group)", rows, limits.batch_readings));
        };
        let times = TimeBlock::read(&mut reader, base_ns, rows)?;
        Ok((Self { rows, times, columns, first_place, reader }, reader))
    }

    fn walk(&self, mut reader: Reader<'a>, tally: &mut Tally, limits: &Limits) -> Result<Reader<'a>, WireError> {
        for _ in 0..self.columns {
            let column = Column::read(&mut reader, self.rows, tally.readings)?;
            tally.add(&column, limits)?;
        }
        Ok(reader)
    }

    /// Rows of the time column.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Fills `times` with the time of each row, nanoseconds since 1970 UTC. What was in it is dropped.
    pub fn times(&self, times: &mut Vec<i64>) -> Result<(), WireError> {
        self.times.decode(times)
    }

    pub fn columns(&self) -> impl Iterator<Item = Column<'a>> + use<'a> {
        let Self { rows, columns, mut reader, first_place, .. } = *self;
        let mut place = first_place;
        (0..columns).map(move |_| {
            let column = Column::read(&mut reader, rows, place).expect(WAS_CHECKED);
            place += column.readings;
            column
        })
    }
}

/// The readings of one alias in a group.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    alias: u32,
    encoding: Encoding,
    presence: Presence<'a>,
    readings: u32,
    first_place: u32,
    /// Where the payload begins in the frame, for messages.
    at: usize,
    payload: &'a [u8],
}

impl<'a> Column<'a> {
    fn read(reader: &mut Reader<'a>, rows: u32, first_place: u32) -> Result<Self, WireError> {
        let alias = reader.varint_u32("column.alias")?;
        let at = reader.at();
        let form = reader.u8("column.form")?;
        let encoding = Encoding::from_byte(form & !FORM_PRESENCE, at)?;
        let presence = if form & FORM_PRESENCE == 0 { Presence::all(rows) } else { Presence::read(reader, rows)? };
        let length = reader.varint("column.length")?;
        let at = reader.at();
        let payload = reader.bytes("column.payload", length)?;
        Ok(Self { alias, encoding, readings: presence.count(), presence, first_place, at, payload })
    }

    pub fn alias(&self) -> u32 {
        self.alias
    }

    /// Readings of the column: the rows it has.
    pub fn readings(&self) -> u32 {
        self.readings
    }

    /// The place of the column's first reading in the batch; those that follow count on from it.
    pub fn first_place(&self) -> u32 {
        self.first_place
    }

    /// Which rows of the group the column has; the i-th value belongs to the i-th of them.
    pub fn presence(&self) -> Presence<'a> {
        self.presence
    }

    /// Decodes all values. What was in `buf` is dropped; its room is used again.
    pub fn decode_into<'b>(&self, buf: &'b mut ColumnBuf) -> Result<Values<'a, 'b>, WireError> {
        values::decode(self.encoding, self.payload, self.at, self.readings as usize, buf)
    }

    fn repeated_text_bytes(&self) -> Result<u64, WireError> {
        values::constant_text_bytes(self.encoding, self.payload, self.at).map(|bytes| bytes * u64::from(self.readings))
    }
}
