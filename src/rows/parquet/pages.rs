//! What a file declares of its footer and pages, compared with bounds before the reader of the crate allocates for it
//! (apache/arrow-rs#10734, #9874, #11121: as of 60.1 it believes lengths of pages, dictionaries and texts).

use std::fs::File;
use std::os::unix::fs::FileExt;

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use super::cells::Wanted;
use super::read::ReadError;
use super::thrift::{FALSE, I32, STRUCT, TRUE, ThriftError, walk};
use crate::limits::{PARQUET_COLUMN_PAGES, PARQUET_FOOTER_BYTES, PARQUET_PAGE_BYTES, PARQUET_PAGES_BYTES};

/// A page's header holds a few numbers, and statistics with a least and a greatest text. Most are short.
const HEADER_BYTES: [usize; 2] = [256, 64 << 10];
/// Of an entry of a dictionary in memory, and how little it may take in the file.
const ENTRY_BYTES: usize = 32;
const ENTRY_IN_FILE: i64 = 4;

const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE: i64 = 3;
const DELTA_BINARY_PACKED: i64 = 5;
const RLE_DICTIONARY: i64 = 8;

/// The footer, before it is parsed.
pub(super) fn check_footer(file: &File) -> Result<(), ReadError> {
    let len = file.metadata()?.len();
    let mut end = [0; 8];
    if len < 12 {
        return Err(ReadError::no_parquet("it is shorter than the shortest"));
    }
    file.read_exact_at(&mut end, len - 8)?;
    match &end[4..] {
        b"PAR1" => {}
        b"PARE" => return Err(ReadError::no_parquet("its footer is encrypted")),
        _ => return Err(ReadError::no_parquet("it does not end in PAR1; was it cut off?")),
    }
    let footer = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    if footer > PARQUET_FOOTER_BYTES || footer > len - 12 {
        return Err(ReadError::Bounds(format!("a footer of {footer} bytes, at most {PARQUET_FOOTER_BYTES} are read")));
    }
    let mut bytes = vec![0; usize::try_from(footer).unwrap_or_default()];
    file.read_exact_at(&mut bytes, len - 8 - footer)?;
    walk(&bytes, &mut |_, _, _| ()).map_err(|error| ReadError::no_parquet(&format!("its footer is broken: {error}")))?;
    Ok(())
}

/// How the columns are packed, before anything is taken of them.
pub(super) fn check_packing(metadata: &ParquetMetaData, wanted: &[Wanted]) -> Result<(), ReadError> {
    for group in metadata.row_groups() {
        for one in wanted {
            let packing = group.column(one.at).compression();
            if !matches!(packing, Compression::UNCOMPRESSED | Compression::SNAPPY) {
                let message = format!("column `{}` is packed with {packing}; snappy, or nothing, is read", one.name);
                return Err(ReadError::Columns(message));
            }
        }
    }
    Ok(())
}

/// The pages of those columns of a row group that will be read.
pub(super) fn check_group(file: &File, group: &RowGroupMetaData, wanted: &[usize]) -> Result<(), ReadError> {
    let len = file.metadata()?.len();
    let mut all = 0;
    for at in wanted {
        all += check_column(file, len, group.column(*at))?;
    }
    if all > PARQUET_PAGES_BYTES {
        let message = format!("pages of {all} bytes would be held at once, at most {PARQUET_PAGES_BYTES} are");
        return Err(ReadError::Bounds(format!("{message}; write smaller row groups or pages")));
    }
    Ok(())
}

/// Every part of the file is read once at most: what lies in one place would be many rows of few bytes.
pub(super) fn check_places(metadata: &ParquetMetaData, wanted: &[Wanted]) -> Result<(), ReadError> {
    let mut places = Vec::new();
    for group in metadata.row_groups() {
        for one in wanted {
            places.push(place(group.column(one.at))?);
        }
    }
    places.retain(|(from, to)| from < to);
    places.sort_unstable();
    match places.windows(2).find(|two| two[0].1 > two[1].0) {
        Some(two) => Err(ReadError::Bounds(format!("two columns or row groups lie in one place, at {}", two[1].0))),
        None => Ok(()),
    }
}

/// From where to where a column lies, as the reader of the crate takes it.
fn place(column: &ColumnChunkMetaData) -> Result<(u64, u64), ReadError> {
    let broken = |why: &str| ReadError::Bounds(format!("column `{}`: {why}", column.column_path().string()));
    let data = column.data_page_offset();
    let first = column.dictionary_page_offset().unwrap_or(data);
    if first > data {
        return Err(broken("its dictionary lies behind its values"));
    }
    let (Ok(from), Ok(bytes)) = (u64::try_from(first), u64::try_from(column.compressed_size())) else {
        return Err(broken("a place before the file's beginning"));
    };
    Ok((from, from.checked_add(bytes).ok_or_else(|| broken("it ends behind the file"))?))
}

/// What the largest of its pages and its dictionary take in memory.
fn check_column(file: &File, len: u64, column: &ColumnChunkMetaData) -> Result<u64, ReadError> {
    let name = column.column_path().string();
    let broken = |why: &str| ReadError::Bounds(format!("column `{name}`: {why}"));
    let (mut at, end) = place(column)?;
    if end > len {
        return Err(broken("it ends behind the file"));
    }
    let (mut largest, mut dictionary, mut pages) = (0, 0, 0);
    while at < end {
        pages += 1;
        if pages > PARQUET_COLUMN_PAGES {
            return Err(broken(&format!("a row group of more than {PARQUET_COLUMN_PAGES} pages; write larger pages")));
        }
        let page = Page::read(&header(file, at, end)?).map_err(|why| broken(&why))?;
        at = at + page.header as u64 + page.compressed;
        if at > end {
            return Err(broken("a page ends behind its column"));
        }
        match page.dictionary {
            Some(entries) => dictionary = page.uncompressed + entries * ENTRY_BYTES as u64,
            None => largest = page.uncompressed.max(largest),
        }
    }
    Ok(largest + dictionary)
}

/// The bytes that the header of a page is in.
fn header(file: &File, at: u64, end: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    for most in HEADER_BYTES {
        bytes.resize(usize::try_from(end - at).unwrap_or(most).min(most), 0);
        file.read_exact_at(&mut bytes, at)?;
        if walk(&bytes, &mut |_, _, _| ()) != Err(ThriftError::Short) {
            break;
        }
    }
    Ok(bytes)
}

/// What a page's header says, field by field. A field of another type, or one that comes twice, others read otherwise than we do.
#[derive(Default)]
struct Fields {
    found: Vec<([i16; 2], i64)>,
    is_broken: bool,
}

impl Fields {
    fn take(&mut self, path: &[i16], kind: u8, number: i64) {
        let place = match *path {
            [id] => [id, 0],
            [part, id] => [part, id],
            _ => return,
        };
        let fits = match place {
            [1..=4, 0] | [5, 1..=4] | [7, 1..=2] | [8, 1..=6] => kind == I32 && i32::try_from(number).is_ok(),
            [7, 3] | [8, 7] => matches!(kind, TRUE | FALSE),
            [5..=8, 0] | [5, 5] | [8, 8] => kind == STRUCT,
            _ => return,
        };
        if !fits || self.found.iter().any(|(known, _)| *known == place) {
            self.is_broken = true;
        } else {
            self.found.push((place, number));
        }
    }

    /// -1: it is not there.
    fn number(&self, place: [i16; 2]) -> i64 {
        self.found.iter().find(|(known, _)| *known == place).map_or(-1, |(_, number)| *number)
    }
}

pub(super) struct Page {
    /// Bytes of the header itself.
    header: usize,
    pub(super) compressed: u64,
    uncompressed: u64,
    /// How many entries, where it is one.
    dictionary: Option<u64>,
    /// Of a page of data, those that are null counted too.
    pub(super) values: u64,
}

impl Page {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut fields = Fields::default();
        let header = walk(bytes, &mut |path, kind, number| fields.take(path, kind, number));
        let header = header.map_err(|error| format!("the header of a page: {error}"))?;
        if fields.is_broken {
            return Err("the header of a page: a field of another type, or twice".to_owned());
        }
        let [kind, uncompressed, compressed, entries] = [[1, 0], [2, 0], [3, 0], [7, 1]].map(|place| fields.number(place));
        let encodings = [[5, 2], [7, 2], [8, 4]].map(|place| fields.number(place));
        if uncompressed > PARQUET_PAGE_BYTES {
            return Err(format!("a page of {uncompressed} bytes, at most {PARQUET_PAGE_BYTES} are read; write smaller pages"));
        }
        // Those of texts that go by the lengths of others are left out: they declare how much is to be allocated.
        let known = [-1, PLAIN, PLAIN_DICTIONARY, RLE, DELTA_BINARY_PACKED, RLE_DICTIONARY];
        if let Some(encoding) = encodings.iter().find(|encoding| !known.contains(encoding)) {
            return Err(format!("encoding {encoding} is not read; PLAIN, RLE, dictionaries and DELTA_BINARY_PACKED are"));
        }
        let (Ok(uncompressed), Ok(compressed)) = (u64::try_from(uncompressed), u64::try_from(compressed)) else {
            return Err("a page without a length".to_owned());
        };
        let dictionary = (kind == 2).then_some(entries);
        if dictionary.is_some_and(|entries| entries < 0 || entries.saturating_mul(ENTRY_IN_FILE).cast_unsigned() > uncompressed) {
            return Err(format!("a dictionary of {entries} entries in {uncompressed} bytes"));
        }
        let values = [[5, 1], [8, 1]].map(|place| u64::try_from(fields.number(place)).unwrap_or(0)).into_iter().sum::<u64>();
        Ok(Self { header, compressed, uncompressed, dictionary: dictionary.map(i64::cast_unsigned), values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a page: its kind, its lengths, then its own part: values and encoding.
    fn header(kind: u64, uncompressed: u64, compressed: u64, part: u8, values: u64, encoding: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let varint = |bytes: &mut Vec<u8>, mut value: u64| {
            value *= 2;
            while value >= 0x80 {
                bytes.push((value & 0x7f) as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
        };
        for number in [kind, uncompressed, compressed] {
            bytes.push(0x15);
            varint(&mut bytes, number);
        }
        bytes.push(((part - 3) << 4) | 12);
        for number in [values, encoding] {
            bytes.push(0x15);
            varint(&mut bytes, number);
        }
        bytes.extend([0, 0]);
        bytes
    }

    #[test]
    fn a_column_lies_where_the_crate_reads_it() {
        let schema = parquet::schema::parser::parse_message_type("message m { REQUIRED INT64 a; }").unwrap();
        let schema = parquet::schema::types::SchemaDescriptor::new(std::sync::Arc::new(schema));
        let column = |dictionary, data| {
            let builder = ColumnChunkMetaData::builder(schema.column(0)).set_total_compressed_size(50);
            builder.set_dictionary_page_offset(dictionary).set_data_page_offset(data).build().unwrap()
        };
        assert_eq!(place(&column(None, 100)).unwrap(), (100, 150));
        assert_eq!(place(&column(Some(80), 100)).unwrap(), (80, 130));
        for (dictionary, data, said) in
            [(Some(101), 100, "behind its values"), (Some(-1), 100, "before the file"), (None, -1, "before the file")]
        {
            assert!(place(&column(dictionary, data)).unwrap_err().to_string().contains(said), "{said}");
        }
    }

    #[test]
    fn what_a_page_declares_is_bounded() {
        let read = |bytes: &[u8]| Page::read(bytes).map(|page| (page.uncompressed, page.compressed, page.dictionary));
        assert_eq!(read(&header(0, 100, 50, 5, 10, 0)), Ok((100, 50, None)));
        assert_eq!(read(&header(2, 400, 50, 7, 100, 0)), Ok((400, 50, Some(100))));
        let rows = [
            (header(0, (1 << 31) - 1, 50, 5, 10, 0), "a page of 2147483647 bytes"),
            (header(0, 1 << 31, 50, 5, 10, 0), "of another type"),
            (header(0, 100, 50, 5, 10, 6), "encoding 6 is not read"),
            (header(0, 100, 50, 5, 10, 7), "encoding 7 is not read"),
            (header(2, 400, 50, 7, 101, 0), "a dictionary of 101 entries in 400 bytes"),
            (header(2, 400, 50, 7, 1 << 30, 0), "a dictionary of 1073741824"),
            (vec![0x15, 0, 0], "without a length"),
            (vec![0x15], "the header of a page: it ends"),
            // Field 2 as a bool, whose number others take from what follows; as i64; twice; an encoding as i64; a part that is no structure.
            (vec![0x15, 0, 0x11, 0x15, 2, 0x15, 2, 0], "of another type"),
            (vec![0x15, 0, 0x16, 2, 0x15, 2, 0], "of another type"),
            (vec![0x15, 0, 0x15, 2, 0x15, 2, 0x05, 4, 40, 0], "or twice"),
            (vec![0x15, 0, 0x15, 2, 0x15, 2, 0x2c, 0x15, 2, 0x16, 0, 0, 0], "of another type"),
            (vec![0x15, 0, 0x15, 2, 0x15, 2, 0x25, 0, 0], "of another type"),
            ([header(0, 100, 50, 5, 10, 0)[..].split_last().unwrap().1, &[0x0c, 10, 0x15, 2, 0, 0]].concat(), "or twice"),
        ];
        for (bytes, said) in rows {
            let error = read(&bytes).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
