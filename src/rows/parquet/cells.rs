//! The columns that an import reads: what each is for, whether its type does, and its values, some rows at a time.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::schema::types::ColumnDescriptor;

use super::read::ReadError;

/// Rows that are told apart at once.
pub(super) const AT_ONCE: usize = 1024;
const NAMES: &str = "device, metric, labels, time, value, value_int, value_float, value_bool, value_text, unit, kind";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Device,
    Metric,
    Labels,
    Time,
    Value,
    Unit,
    Kind,
}

/// How a number of a column is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AsIs,
    Unsigned32,
    Unsigned64,
    /// So many nanoseconds each.
    Times(i64),
}

#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) role: Role,
    pub(super) name: String,
    /// Which of the file's columns.
    pub(super) at: usize,
    is_optional: bool,
    form: Form,
}

/// One value of a column. A number that is whole may be larger than 64 bits say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    None,
    Int(i128),
    Float(f64),
    Bool(bool),
    Text(&'a [u8]),
}

impl Wanted {
    pub(super) fn of(at: usize, column: &ColumnDescriptor) -> Result<Self, ReadError> {
        let path = column.path().parts();
        let name = path.first().map_or("", String::as_str);
        let role = match name {
            "device" => Role::Device,
            "metric" => Role::Metric,
            "labels" => Role::Labels,
            "time" => Role::Time,
            "value" | "value_int" | "value_float" | "value_bool" | "value_text" => Role::Value,
            "unit" => Role::Unit,
            "kind" => Role::Kind,
            _ => {
                let hint = if name.starts_with("__index_level") { "; pandas writes no index with index=False" } else { "" };
                return Err(ReadError::Columns(format!("there is a column `{}`; there may be {NAMES}{hint}", shown(name))));
            }
        };
        let refused = |why: &str| ReadError::Columns(format!("column `{name}` {why}"));
        if path.len() > 1 || column.max_rep_level() > 0 || column.max_def_level() > 1 {
            return Err(refused(match role {
                Role::Labels => "is nested; labels are a JSON object as text",
                _ => "is nested; it may hold one value a row",
            }));
        }
        let form = form(role, column).map_err(|why| refused(&why))?;
        Ok(Self { role, name: name.to_owned(), at, is_optional: column.max_def_level() == 1, form })
    }
}

fn form(role: Role, column: &ColumnDescriptor) -> Result<Form, String> {
    let (physical, logical) = (column.physical_type(), column.logical_type_ref());
    let is_text = physical == Type::BYTE_ARRAY
        && matches!(logical, None | Some(LogicalType::String | LogicalType::Json | LogicalType::Enum))
        && column.converted_type() != ConvertedType::DECIMAL;
    if is_text {
        return Ok(Form::AsIs);
    }
    let told = || logical.map_or_else(|| format!("{physical}"), |logical| format!("{physical} ({logical:?})"));
    match (role, physical, logical, column.converted_type()) {
        (Role::Time, Type::INT64, Some(LogicalType::Timestamp(time)), _) if !time.is_adjusted_to_u_t_c => {
            Err("is a local time without zone; write it in UTC (pandas: dt.tz_localize('UTC'), DuckDB: TIMESTAMPTZ)".to_owned())
        }
        (Role::Time, Type::INT64, Some(LogicalType::Timestamp(time)), _) => Ok(Form::Times(match time.unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1_000,
            TimeUnit::NANOS => 1,
        })),
        (Role::Time, Type::INT64, None, ConvertedType::TIMESTAMP_MILLIS) => Ok(Form::Times(1_000_000)),
        (Role::Time, Type::INT64, None, ConvertedType::TIMESTAMP_MICROS) => Ok(Form::Times(1_000)),
        (Role::Time, Type::INT64, None, ConvertedType::NONE | ConvertedType::INT_64) => Ok(Form::AsIs),
        (Role::Time, ..) => Err(format!("is {}; a TIMESTAMP in UTC, an INT64 of nanoseconds or RFC 3339 as text is expected", told())),
        (Role::Value, Type::INT32 | Type::INT64, Some(LogicalType::Integer(int)), _) if !int.is_signed => {
            Ok(if physical == Type::INT32 { Form::Unsigned32 } else { Form::Unsigned64 })
        }
        (Role::Value, Type::INT32 | Type::INT64, Some(LogicalType::Integer(_)), _) => Ok(Form::AsIs),
        (Role::Value, Type::INT32 | Type::INT64, None, ConvertedType::UINT_64) => Ok(Form::Unsigned64),
        (Role::Value, Type::INT32 | Type::INT64, None, ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32) => {
            Ok(Form::Unsigned32)
        }
        (
            Role::Value,
            Type::INT32 | Type::INT64,
            None,
            ConvertedType::NONE | ConvertedType::INT_8 | ConvertedType::INT_16 | ConvertedType::INT_32 | ConvertedType::INT_64,
        )
        | (Role::Value, Type::BOOLEAN | Type::FLOAT | Type::DOUBLE, None, _) => Ok(Form::AsIs),
        (Role::Value, ..) => Err(format!("is {}; whole numbers, FLOAT, DOUBLE, BOOLEAN and texts are values", told())),
        _ => Err(format!("is {}; a text is expected", told())),
    }
}

/// The beginning of a name that somebody else chose.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(40).flat_map(char::escape_debug).collect()
}

/// A column of the open row group.
pub(super) struct Open {
    pub(super) wanted: Wanted,
    reader: ColumnReader,
    levels: Vec<i16>,
    values: Values,
    /// Which of the values is next.
    next: usize,
}

enum Values {
    Bools(Vec<bool>),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Texts(Vec<ByteArray>),
}

impl Open {
    pub(super) fn new(wanted: Wanted, reader: ColumnReader) -> Result<Self, ReadError> {
        let values = match reader {
            ColumnReader::BoolColumnReader(_) => Values::Bools(Vec::new()),
            ColumnReader::Int32ColumnReader(_) => Values::Ints(Vec::new()),
            ColumnReader::Int64ColumnReader(_) => Values::Longs(Vec::new()),
            ColumnReader::FloatColumnReader(_) => Values::Floats(Vec::new()),
            ColumnReader::DoubleColumnReader(_) => Values::Doubles(Vec::new()),
            ColumnReader::ByteArrayColumnReader(_) => Values::Texts(Vec::new()),
            ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                return Err(ReadError::Columns(format!("column `{}` has a type that is not read", wanted.name)));
            }
        };
        Ok(Self { wanted, reader, levels: Vec::new(), values, next: 0 })
    }

    /// The next rows, all of which are there.
    pub(super) fn fill(&mut self, rows: usize) -> Result<(), ReadError> {
        self.levels.clear();
        self.next = 0;
        let levels = self.wanted.is_optional.then_some(&mut self.levels);
        let read = match (&mut self.reader, &mut self.values) {
            (ColumnReader::BoolColumnReader(reader), Values::Bools(values)) => fill(reader, rows, levels, values),
            (ColumnReader::Int32ColumnReader(reader), Values::Ints(values)) => fill(reader, rows, levels, values),
            (ColumnReader::Int64ColumnReader(reader), Values::Longs(values)) => fill(reader, rows, levels, values),
            (ColumnReader::FloatColumnReader(reader), Values::Floats(values)) => fill(reader, rows, levels, values),
            (ColumnReader::DoubleColumnReader(reader), Values::Doubles(values)) => fill(reader, rows, levels, values),
            (ColumnReader::ByteArrayColumnReader(reader), Values::Texts(values)) => fill(reader, rows, levels, values),
            _ => Ok(0),
        }?;
        if read == rows {
            return Ok(());
        }
        Err(ReadError::Broken(format!("column `{}` ends before its row group", self.wanted.name)))
    }

    /// Of the next row. Rows are taken in order, each once.
    pub(super) fn take(&mut self, row: usize) -> Cell<'_> {
        if self.wanted.is_optional && self.levels.get(row) != Some(&1) {
            return Cell::None;
        }
        let at = self.next;
        self.next += 1;
        let whole = |int: i64| match self.wanted.form {
            Form::AsIs => i128::from(int),
            Form::Unsigned32 => i128::from(int & 0xffff_ffff),
            Form::Unsigned64 => i128::from(int.cast_unsigned()),
            Form::Times(ns) => i128::from(int) * i128::from(ns),
        };
        let cell = match &self.values {
            Values::Bools(values) => values.get(at).map(|value| Cell::Bool(*value)),
            Values::Ints(values) => values.get(at).map(|value| Cell::Int(whole(i64::from(*value)))),
            Values::Longs(values) => values.get(at).map(|value| Cell::Int(whole(*value))),
            Values::Floats(values) => values.get(at).map(|value| Cell::Float(f64::from(*value))),
            Values::Doubles(values) => values.get(at).map(|value| Cell::Float(*value)),
            Values::Texts(values) => values.get(at).map(|value| Cell::Text(value.data())),
        };
        cell.unwrap_or(Cell::None)
    }
}

fn fill<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    levels: Option<&mut Vec<i16>>,
    values: &mut Vec<T::T>,
) -> Result<usize, ReadError> {
    values.clear();
    let (records, ..) = reader.read_records(rows, levels, None, values)?;
    Ok(records)
}
