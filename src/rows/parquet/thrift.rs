//! Thrift's compact protocol, as far as it takes to see what a footer or the header of a page declares, without believing it: nothing is
//! allocated, and every length is compared with the bytes that are there.

/// Structures within structures. Parquet's own go to 8 or so.
const DEPTH: usize = 24;
/// Structures within lists: row groups and columns, of which readers make larger ones.
const STRUCTS: usize = 250_000;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ThriftError {
    #[error("it ends within a value")]
    Short,
    #[error("it nests deeper than {DEPTH}")]
    Deep,
    #[error("it declares more than {STRUCTS} row groups and columns")]
    Many,
    #[error("there is no type {0}")]
    Type(u8),
    /// Others cut such a number off, and take it for another field.
    #[error("there is no field {0}")]
    Id(i64),
}

/// Takes the fields of a structure: the ids from the outermost, the type, and the number (0 where the type is none of a number).
pub(super) type FieldSink<'a> = dyn FnMut(&[i16], u8, i64) + 'a;

const STOP: u8 = 0;
pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Walks one structure. Gives how many bytes it takes.
pub(super) fn walk(bytes: &[u8], sink: &mut FieldSink<'_>) -> Result<usize, ThriftError> {
    let mut walker = Walker { bytes, at: 0, path: Vec::new(), structs: 0 };
    walker.structure(sink)?;
    Ok(walker.at)
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<i16>,
    structs: usize,
}

impl Walker<'_> {
    fn structure(&mut self, sink: &mut FieldSink<'_>) -> Result<(), ThriftError> {
        if self.path.len() >= DEPTH {
            return Err(ThriftError::Deep);
        }
        self.path.push(0);
        let mut id = 0_i16;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == STOP {
                break;
            }
            let number = match head >> 4 {
                0 => self.zigzag()?,
                step => i64::from(id) + i64::from(step),
            };
            id = i16::try_from(number).map_err(|_| ThriftError::Id(number))?;
            if let Some(last) = self.path.last_mut() {
                *last = id;
            }
            if !matches!(kind, I16..=I64) {
                sink(&self.path, kind, 0);
            }
            // Of a field that is a bool the type is the value.
            if !matches!(kind, TRUE | FALSE) {
                self.value(kind, sink)?;
            }
        }
        self.path.pop();
        Ok(())
    }

    fn value(&mut self, kind: u8, sink: &mut FieldSink<'_>) -> Result<(), ThriftError> {
        match kind {
            // Within a list a bool takes a byte.
            TRUE | FALSE | BYTE => self.skip(1),
            I16..=I64 => {
                let number = self.zigzag()?;
                sink(&self.path, kind, number);
                Ok(())
            }
            DOUBLE => self.skip(8),
            UUID => self.skip(16),
            BINARY => {
                let len = self.length()?;
                self.skip(len)
            }
            LIST | SET => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.length()?,
                    count => usize::from(count),
                };
                self.elements(count, &[head & 0x0f], sink)
            }
            MAP => {
                let count = self.length()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                self.elements(count, &[kinds >> 4, kinds & 0x0f], sink)
            }
            STRUCT => self.structure(sink),
            other => Err(ThriftError::Type(other)),
        }
    }

    fn elements(&mut self, count: usize, kinds: &[u8], sink: &mut FieldSink<'_>) -> Result<(), ThriftError> {
        // Each takes a byte at least.
        if count > self.bytes.len() - self.at {
            return Err(ThriftError::Short);
        }
        if self.path.len() >= DEPTH {
            return Err(ThriftError::Deep);
        }
        if kinds.contains(&STRUCT) {
            self.structs += count;
            if self.structs > STRUCTS {
                return Err(ThriftError::Many);
            }
        }
        self.path.push(0);
        for _ in 0..count {
            for kind in kinds {
                self.value(*kind, sink)?;
            }
        }
        self.path.pop();
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, ThriftError> {
        let byte = self.bytes.get(self.at).ok_or(ThriftError::Short)?;
        self.at += 1;
        Ok(*byte)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), ThriftError> {
        if bytes > self.bytes.len() - self.at {
            return Err(ThriftError::Short);
        }
        self.at += bytes;
        Ok(())
    }

    fn length(&mut self) -> Result<usize, ThriftError> {
        let length = usize::try_from(self.varint()?).map_err(|_| ThriftError::Short)?;
        if length > self.bytes.len() - self.at { Err(ThriftError::Short) } else { Ok(length) }
    }

    fn varint(&mut self) -> Result<u64, ThriftError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ThriftError::Short)
    }

    fn zigzag(&mut self) -> Result<i64, ThriftError> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8]) -> Result<Vec<(Vec<i16>, i64)>, ThriftError> {
        let mut found = Vec::new();
        let mut sink = |path: &[i16], kind, number| {
            if matches!(kind, I16..=I64) {
                found.push((path.to_vec(), number));
            }
        };
        walk(bytes, &mut sink).map(|_| found)
    }

    #[test]
    fn numbers_are_found_by_their_place() {
        // 1: i32 3, 2: bool true, 5: struct { 1: i32 -2 }, then the end.
        assert_eq!(numbers(&[0x15, 6, 0x11, 0x3c, 0x15, 3, 0, 0]).unwrap(), [(vec![1], 3), (vec![5, 1], -2)]);
        // 1: list of 2 i32, 2: binary of 3, 20: i64.
        assert_eq!(
            numbers(&[0x19, 0x25, 2, 4, 0x18, 3, 9, 9, 9, 0x06, 40, 1, 0]).unwrap(),
            [(vec![1, 0], 1), (vec![1, 0], 2), (vec![20], -1)]
        );
    }

    #[test]
    fn what_is_declared_has_to_be_there() {
        // A list of 2^31 structures, a text of 2^40, one that ends in the middle, structures within structures, an unknown type.
        let rows: [(&[u8], ThriftError); 7] = [
            (&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0], ThriftError::Short),
            (&[0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0], ThriftError::Short),
            (&[0x15], ThriftError::Short),
            (&[0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], ThriftError::Short),
            (&[0x1c; 100], ThriftError::Deep),
            (&[0x1e, 0], ThriftError::Type(14)),
            (&[0x05, 0x84, 0x80, 0x08, 2, 0], ThriftError::Id(65_538)),
        ];
        for (bytes, expected) in rows {
            assert_eq!(numbers(bytes).unwrap_err(), expected, "{bytes:?}");
        }
        let lists = [&[0x19; 100][..], &[0xf9; 100], &[0x1c, 0x19].repeat(50)];
        for bytes in lists {
            assert!(numbers(bytes).is_err());
        }
        let many = [&[0x19, 0xfc, 0xc0, 0xc4, 0x13][..], &[0; 400_000]].concat();
        assert_eq!(numbers(&many).unwrap_err(), ThriftError::Many);
    }

    #[test]
    fn nonsense_ends() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..rng.usize(0..60)).map(|_| rng.u8(..)).collect();
            let _ended = numbers(&bytes);
        }
    }
}
