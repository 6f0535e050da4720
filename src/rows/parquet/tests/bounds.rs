//! Files at the bounds of what is read, and one beyond each: rows for their bytes, pages of a column, and places that are read twice.

use parquet::file::metadata::{ParquetMetaDataBuilder, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData};

use super::*;
use crate::limits::PARQUET_COLUMN_PAGES;

fn exported(rows: i64) -> Vec<u8> {
    let mut writer = Writer::new(RowFormat::Parquet);
    let key = SeriesKey { device: "d".into(), metric: "m".into(), labels: Labels::default() };
    writer.series(&key, Value::Int(0).value_type(), Told::default());
    (0..rows).for_each(|i| writer.point(i * 1_000_000_000, &Value::Int(i % 7)));
    writer.finish();
    writer.take(0).unwrap()
}

/// The same pages, of which the footer says something else.
fn told_otherwise(good: &[u8], change: impl FnOnce(Vec<RowGroupMetaData>) -> Vec<RowGroupMetaData>) -> Vec<u8> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file(good)).unwrap();
    let (rest, end) = good.split_at(good.len() - 8);
    let footer = u32::from_le_bytes([end[0], end[1], end[2], end[3]]) as usize;
    let mut bytes = rest[..rest.len() - footer].to_vec();
    let groups = change(metadata.row_groups().to_vec());
    let metadata = ParquetMetaDataBuilder::new(metadata.file_metadata().clone()).set_row_groups(groups).build();
    ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().unwrap();
    bytes
}

/// Why a file is not opened.
fn refusal(bytes: &[u8]) -> Option<String> {
    match Lines::open(file(bytes)) {
        Ok(_) => None,
        Err(ReadError::Bounds(why)) => Some(why),
        Err(other) => panic!("refused for something else: {other}"),
    }
}

#[test]
fn as_many_rows_as_its_bytes_may_hold_and_one_more() {
    let good = exported(100);
    // A number as long as the one that counts keeps the file as long as it was.
    let with_rows = |rows: u64| {
        let of_first = |group: RowGroupMetaData| group.into_builder().set_num_rows(rows.cast_signed()).build().unwrap();
        told_otherwise(&good, |groups| groups.into_iter().map(of_first).collect())
    };
    let most = with_rows(good.len() as u64 * PARQUET_ROWS_PER_BYTE).len() as u64 * PARQUET_ROWS_PER_BYTE;
    assert_eq!(with_rows(most).len() as u64 * PARQUET_ROWS_PER_BYTE, most, "the same length");
    assert_eq!(refusal(&with_rows(most)), None);
    let why = refusal(&with_rows(most + 1)).unwrap();
    assert!(why.contains(&format!("{} rows in", most + 1)) && why.ends_with("more than 512 for each"), "{why}");
}

#[test]
fn no_two_columns_or_row_groups_lie_in_one_place() {
    let good = exported(100);
    assert_eq!(refusal(&told_otherwise(&good, |groups| groups)), None);
    let twice = told_otherwise(&good, |groups| [groups.clone(), groups].concat());
    assert!(refusal(&twice).unwrap().contains("two columns or row groups lie in one place, at 4"), "{:?}", refusal(&twice));
    // Each column of a group beside the others, but one begins within another.
    let overlapping = |by: i64| {
        told_otherwise(&good, |groups| {
            let group = groups[0].clone();
            let mut columns = group.columns().to_vec();
            let before = &columns[1];
            let end = before.dictionary_page_offset().unwrap_or(before.data_page_offset()) + before.compressed_size();
            columns[2] = columns[2].clone().into_builder().set_dictionary_page_offset(None).set_data_page_offset(end - by).build().unwrap();
            vec![group.into_builder().set_column_metadata(columns).build().unwrap()]
        })
    };
    assert_eq!(refusal(&overlapping(0)), None, "one behind the other");
    assert!(refusal(&overlapping(1)).unwrap().contains("lie in one place"));
}

/// A row group of which each column has a page for each row.
fn a_page_for_each(rows: usize) -> Vec<u8> {
    let schema = format!("message m {{ {NAMES} REQUIRED INT64 time; REQUIRED INT64 value; }}");
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(1)
        .set_write_batch_size(1)
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(parse_message_type(&schema).unwrap()), Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut at = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        match at {
            0 | 1 => write::<ByteArrayType>(&mut column, &vec![ByteArray::from("x"); rows]),
            _ => write::<Int64Type>(&mut column, &(0_i64..).take(rows).collect::<Vec<_>>()),
        }
        column.close().unwrap();
        at += 1;
    }
    group.close().unwrap();
    file.into_inner().unwrap()
}

#[test]
fn as_many_pages_as_a_column_may_have_and_one_more() {
    let read = lines(&a_page_for_each(PARQUET_COLUMN_PAGES), 1 << 20).unwrap();
    assert_eq!(read.lines().count(), PARQUET_COLUMN_PAGES);
    let error = lines(&a_page_for_each(PARQUET_COLUMN_PAGES + 1), 1 << 20).unwrap_err();
    assert!(matches!(&error, ReadError::Bounds(why) if why.contains("a row group of more than 16384 pages")), "{error}");
}
