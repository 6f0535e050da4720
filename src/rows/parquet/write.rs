//! A Parquet file in pieces: rows are gathered as columns, and a row group goes out when it is full. The bytes are taken from `out`.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, Repetition};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use crate::limits::{PARQUET_GROUP_BYTES, PARQUET_GROUP_ROWS};
use crate::model::{TimeNs, Value};

const NEVER: &str = "the columns are those of the schema, and writing to a Vec does not fail";
/// Values handed over at once where a column repeats one.
const AT_ONCE: usize = 1024;

/// What stands beside the names and the time: one column or, where the type of a value is its own, one for each type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Int,
    Float,
    Time,
    Text,
    /// `NAME_int` and `NAME_float`, of which one is set.
    Number,
    /// The same with `NAME_bool` and `NAME_text`.
    Any,
}

#[derive(Debug)]
enum Column {
    /// One value for all rows of a series.
    Names {
        now: Option<ByteArray>,
        runs: Vec<(Option<ByteArray>, usize)>,
    },
    Ints(Vec<i64>, Vec<i16>),
    Floats(Vec<f64>, Vec<i16>),
    Bools(Vec<bool>, Vec<i16>),
    Texts(Vec<ByteArray>, Vec<i16>),
}

#[derive(Debug)]
struct Field {
    name: String,
    is_required: bool,
    column: Column,
}

/// The names of a series: device, metric and labels, unit and kind.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    pub device: &'a str,
    pub metric: &'a str,
    /// A JSON object.
    pub labels: &'a str,
    pub unit: Option<&'a str>,
    pub kind: Option<&'a str>,
}

const DEVICE: usize = 0;
const METRIC: usize = 1;
const LABELS: usize = 2;
const TIME: usize = 3;

pub struct Sheet {
    file: SerializedFileWriter<Vec<u8>>,
    fields: Vec<Field>,
    /// Of each cell: what it is, and its first field.
    cells: Vec<(Cell, usize)>,
    rows: usize,
    /// What the values of the open row group take, about.
    held: usize,
    /// Something is to be sent on.
    is_ready: bool,
}

impl std::fmt::Debug for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sheet").field("fields", &self.fields.len()).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Sheet {
    #[must_use]
    pub fn new<'a>(cells: impl IntoIterator<Item = (&'a str, Cell)>) -> Self {
        let names =
            |name: &str, is_required| Field { name: name.to_owned(), is_required, column: Column::Names { now: None, runs: Vec::new() } };
        let time = Field { name: "time".to_owned(), is_required: true, column: Column::Ints(Vec::new(), Vec::new()) };
        let mut fields = vec![names("device", true), names("metric", true), names("labels", true), time];
        let (mut places, mut times) = (Vec::new(), vec!["time".to_owned()]);
        for (name, cell) in cells {
            places.push((cell, fields.len()));
            if cell == Cell::Time {
                times.push(name.to_owned());
            }
            fields.extend(cell.fields(name));
        }
        fields.extend([names("unit", false), names("kind", false)]);
        let schema: String = fields.iter().map(|field| field.in_schema(times.contains(&field.name))).collect();
        let schema = parse_message_type(&format!("message readings {{ {schema} }}")).expect(NEVER);
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("telltale ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true);
        for time in times {
            // Times that are regular take next to nothing so.
            let path = ColumnPath::from(time);
            properties =
                properties.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
        let file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build())).expect(NEVER);
        Self { file, fields, cells: places, rows: 0, held: 0, is_ready: true }
    }

    /// The rows that follow are of this series.
    pub fn series(&mut self, names: Names<'_>) {
        let last = self.fields.len();
        let values = [
            (DEVICE, Some(names.device)),
            (METRIC, Some(names.metric)),
            (LABELS, Some(names.labels)),
            (last - 2, names.unit),
            (last - 1, names.kind),
        ];
        for (at, value) in values {
            if let Column::Names { now, .. } = &mut self.fields[at].column {
                *now = value.map(|text| ByteArray::from(text.as_bytes().to_vec()));
            }
        }
    }

    /// One row: a value for each cell, None where there is none.
    pub fn row<'a>(&mut self, time: TimeNs, values: impl IntoIterator<Item = Option<&'a Value>>) {
        let last = self.fields.len();
        for at in [DEVICE, METRIC, LABELS, last - 2, last - 1] {
            self.held += self.fields[at].column.repeat();
        }
        self.fields[TIME].column.put(Some(&Value::Int(time)));
        for ((cell, first), value) in self.cells.iter().zip(values) {
            self.held += cell.put(&mut self.fields[*first..], value);
        }
        self.rows += 1;
        self.held += size_of::<TimeNs>() + self.fields.len() * size_of::<i16>();
        if self.rows >= PARQUET_GROUP_ROWS || self.held >= PARQUET_GROUP_BYTES {
            self.close_group();
        }
    }

    /// What is said of the whole file, as its footer has it.
    pub fn say(&mut self, key: &str, value: String) {
        self.file.append_key_value_metadata(KeyValue::new(format!("telltale.{key}"), value));
    }

    /// To be called after the last row.
    pub fn finish(&mut self) {
        self.close_group();
        self.file.finish().expect(NEVER);
        self.is_ready = true;
    }

    /// What is to be sent on.
    pub fn out(&mut self) -> Vec<u8> {
        if !std::mem::take(&mut self.is_ready) {
            return Vec::new();
        }
        // The writer buffers what it hands over.
        self.file.flush().expect(NEVER);
        std::mem::take(self.file.inner_mut())
    }

    fn close_group(&mut self) {
        if self.rows == 0 {
            return;
        }
        let mut group = self.file.next_row_group().expect(NEVER);
        for field in &mut self.fields {
            let mut writer = group.next_column().expect(NEVER).expect(NEVER);
            field.column.write(&mut writer, field.is_required);
            writer.close().expect(NEVER);
        }
        group.close().expect(NEVER);
        (self.rows, self.held, self.is_ready) = (0, 0, true);
    }
}

impl Field {
    fn in_schema(&self, is_time: bool) -> String {
        let repetition = if self.is_required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let (physical, logical) = match &self.column {
            _ if is_time => ("INT64", " (TIMESTAMP(NANOS,true))"),
            Column::Names { .. } | Column::Texts(..) => ("BYTE_ARRAY", " (STRING)"),
            Column::Ints(..) => ("INT64", ""),
            Column::Floats(..) => ("DOUBLE", ""),
            Column::Bools(..) => ("BOOLEAN", ""),
        };
        format!("{repetition} {physical} {}{logical}; ", self.name)
    }
}

impl Cell {
    fn fields(self, name: &str) -> Vec<Field> {
        let field = |name: String, column| Field { name, is_required: false, column };
        let ints = || Column::Ints(Vec::new(), Vec::new());
        let floats = || Column::Floats(Vec::new(), Vec::new());
        let texts = || Column::Texts(Vec::new(), Vec::new());
        match self {
            Self::Int | Self::Time => vec![field(name.to_owned(), ints())],
            Self::Float => vec![field(name.to_owned(), floats())],
            Self::Text => vec![field(name.to_owned(), texts())],
            Self::Number => vec![field(format!("{name}_int"), ints()), field(format!("{name}_float"), floats())],
            Self::Any => vec![
                field(format!("{name}_int"), ints()),
                field(format!("{name}_float"), floats()),
                field(format!("{name}_bool"), Column::Bools(Vec::new(), Vec::new())),
                field(format!("{name}_text"), texts()),
            ],
        }
    }

    /// How many bytes that takes, about.
    fn put(self, fields: &mut [Field], value: Option<&Value>) -> usize {
        let (places, at) = match (self, value) {
            (Self::Int | Self::Float | Self::Time | Self::Text, _) => (1, 0),
            (Self::Number, Some(Value::Float(_))) => (2, 1),
            (Self::Number, _) => (2, 0),
            (Self::Any, Some(Value::Float(_))) => (4, 1),
            (Self::Any, Some(Value::Bool(_))) => (4, 2),
            (Self::Any, Some(Value::Text(_))) => (4, 3),
            (Self::Any, _) => (4, 0),
        };
        for (i, field) in fields[..places].iter_mut().enumerate() {
            field.column.put(value.filter(|_| i == at));
        }
        match value {
            Some(Value::Text(text)) => text.len() + size_of::<ByteArray>(),
            _ => size_of::<i64>(),
        }
    }
}

impl Column {
    /// The value of the series once more. How many bytes that takes, about.
    fn repeat(&mut self) -> usize {
        let Self::Names { now, runs } = self else { return 0 };
        match runs.last_mut() {
            Some((value, count)) if value == now => {
                *count += 1;
                0
            }
            _ => {
                runs.push((now.clone(), 1));
                size_of::<(Option<ByteArray>, usize)>() + now.as_ref().map_or(0, ByteArray::len)
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a column of floats was asked for")]
    fn put(&mut self, value: Option<&Value>) {
        match self {
            Self::Names { .. } => debug_assert!(false, "names come with their series"),
            Self::Ints(values, levels) => {
                let int = value.and_then(|value| if let Value::Int(int) = value { Some(*int) } else { None });
                values.extend(int);
                levels.push(i16::from(int.is_some()));
            }
            Self::Floats(values, levels) => {
                let float = match value {
                    Some(Value::Float(float)) => Some(*float),
                    Some(Value::Int(int)) => Some(*int as f64),
                    _ => None,
                };
                values.extend(float);
                levels.push(i16::from(float.is_some()));
            }
            Self::Bools(values, levels) => {
                let bool = value.and_then(|value| if let Value::Bool(bool) = value { Some(*bool) } else { None });
                values.extend(bool);
                levels.push(i16::from(bool.is_some()));
            }
            Self::Texts(values, levels) => {
                let text = value.and_then(|value| if let Value::Text(text) = value { Some(text) } else { None });
                values.extend(text.map(|text| ByteArray::from(text.as_bytes().to_vec())));
                levels.push(i16::from(text.is_some()));
            }
        }
    }

    /// Empties it.
    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>, is_required: bool) {
        match self {
            Self::Names { runs, .. } => {
                for (value, mut count) in runs.drain(..) {
                    while count > 0 {
                        let some = count.min(AT_ONCE);
                        let values = vec![value.clone(); if value.is_some() { some } else { 0 }];
                        let values: Vec<ByteArray> = values.into_iter().flatten().collect();
                        let levels = vec![i16::from(value.is_some()); some];
                        write_batch::<ByteArrayType>(writer, &values, &levels, is_required);
                        count -= some;
                    }
                }
            }
            Self::Ints(values, levels) => drain::<Int64Type>(writer, values, levels, is_required),
            Self::Floats(values, levels) => drain::<DoubleType>(writer, values, levels, is_required),
            Self::Bools(values, levels) => drain::<BoolType>(writer, values, levels, is_required),
            Self::Texts(values, levels) => drain::<ByteArrayType>(writer, values, levels, is_required),
        }
    }
}

fn drain<T: DataType>(writer: &mut SerializedColumnWriter<'_>, values: &mut Vec<T::T>, levels: &mut Vec<i16>, is_required: bool) {
    write_batch::<T>(writer, values, levels, is_required);
    values.clear();
    levels.clear();
}

fn write_batch<T: DataType>(writer: &mut SerializedColumnWriter<'_>, values: &[T::T], levels: &[i16], is_required: bool) {
    let levels = (!is_required).then_some(levels);
    writer.typed::<T>().write_batch(values, levels, None).expect(NEVER);
}
