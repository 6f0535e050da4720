//! Whole files whose footers or pages say what cannot be: each is refused by the name of its bound, before anything is allocated for it.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::{ParquetMetaDataWriter, RowGroupMetaData, RowGroupMetaDataBuilder};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::{Lines, NAMES, file, lines, write};
use crate::limits::{PARQUET_COLUMN_PAGES, PARQUET_ROWS_PER_BYTE};
use crate::model::{Labels, SeriesKey, Value};
use crate::rows::RowFormat;
use crate::rows::write::{Told, Writer};

/// The same file with another footer.
fn retold(bytes: &[u8], change: impl Fn(RowGroupMetaDataBuilder, &RowGroupMetaData) -> RowGroupMetaDataBuilder) -> Vec<u8> {
    let metadata = SerializedFileReader::new(file(bytes)).unwrap().metadata().clone();
    let groups = metadata.row_groups().iter().map(|group| change(group.clone().into_builder(), group).build().unwrap()).collect();
    let lying = metadata.into_builder().set_row_groups(groups).build();
    let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
    let mut retold = bytes[..bytes.len() - 8 - footer].to_vec();
    ParquetMetaDataWriter::new(&mut retold, &lying).finish().unwrap();
    retold
}

fn own(rows: i64) -> Vec<u8> {
    let mut writer = Writer::new(RowFormat::Parquet);
    let key = SeriesKey { device: "d".into(), metric: "m".into(), labels: Labels::default() };
    writer.series(&key, Value::Int(0).value_type(), Told::default());
    (0..rows).for_each(|i| writer.point(i, &Value::Int(i % 3)));
    writer.finish();
    writer.take(0).unwrap()
}

#[test]
fn footers_that_lie_about_rows_and_places_are_refused_by_name() {
    let good = own(10);
    assert_eq!(lines(&retold(&good, |group, _| group), 100).unwrap(), lines(&good, 100).unwrap(), "a footer that is told again is good");
    let most = i64::try_from(good.len() as u64 * PARQUET_ROWS_PER_BYTE).unwrap();
    // A footer of another length moves the bound by some rows.
    let rows = |rows: i64| retold(&good, move |group, _| group.set_num_rows(rows));
    assert_eq!(Lines::open(file(&rows(most / 2))).unwrap().rows(), most.unsigned_abs() / 2, "what it says is looked at when it is read");
    let one_place = retold(&good, |group, as_it_was| {
        let mut columns = as_it_was.columns().to_vec();
        // The metric is where the device is.
        let (offset, dictionary) = (columns[0].data_page_offset(), columns[0].dictionary_page_offset());
        let moved = columns[1].clone().into_builder().set_data_page_offset(offset).set_dictionary_page_offset(dictionary);
        columns[1] = moved.build().unwrap();
        group.set_column_metadata(columns)
    });
    let behind = retold(&good, |group, as_it_was| {
        let mut columns = as_it_was.columns().to_vec();
        let last = columns.len() - 1;
        columns[last] = columns[last].clone().into_builder().set_total_compressed_size(1 << 20).build().unwrap();
        group.set_column_metadata(columns)
    });
    let refused = [
        (rows(most * 2), "more than 512 for each"),
        (rows(-1), "a row group without a number"),
        (one_place, "two columns or row groups lie in one place"),
        (behind, "it ends behind the file"),
    ];
    for (bytes, said) in refused {
        let error = lines(&bytes, 100).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn a_column_of_very_many_pages_is_refused_by_name() {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {NAMES} REQUIRED INT64 time; REQUIRED INT64 value; }}")).unwrap());
    let with_pages = |pages: usize| {
        let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).set_dictionary_enabled(false);
        let properties = properties.set_data_page_row_count_limit(1).set_write_batch_size(1).set_offset_index_disabled(true).build();
        let mut file = SerializedFileWriter::new(Vec::new(), Arc::clone(&schema), Arc::new(properties)).unwrap();
        let mut group = file.next_row_group().unwrap();
        for at in 0..4 {
            let mut column = group.next_column().unwrap().unwrap();
            match at {
                0 | 1 => write::<ByteArrayType>(&mut column, &vec![ByteArray::from("x"); pages]),
                _ => write::<Int64Type>(&mut column, &(0..pages as i64).collect::<Vec<_>>()),
            }
            column.close().unwrap();
        }
        group.close().unwrap();
        file.into_inner().unwrap()
    };
    assert_eq!(lines(&with_pages(100), 1 << 20).unwrap().lines().count(), 100);
    let error = lines(&with_pages(PARQUET_COLUMN_PAGES + 1), 1 << 20).unwrap_err().to_string();
    assert!(error.contains("column `device`: a row group of more than 16384 pages"), "{error}");
}
