//! The first look at a plain frame: is it well-formed, how deep, how many values, where are its batches. Only a frame that
//! passes is decided, so that nothing of a broken one is stored and no series is made for it.

use telltale_wire::FrameCode;

use super::msgpack::{Cursor, Malformed, Token};
use crate::ingest::forms::shown;
use crate::limits::NESTING;

/// A batch's number: any integer, echoed as it came.
pub(super) type Seq = i128;

/// A frame that may be decided: where its batches begin, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Survey {
    pub(super) batches: Vec<(usize, Seq)>,
}

/// A frame that is refused whole, with the numbers of the batches that could be read.
#[derive(Debug, PartialEq)]
pub(super) struct RefusedFrame {
    pub(super) seqs: Vec<Seq>,
    pub(super) code: FrameCode,
    pub(super) message: String,
}

pub(super) fn survey(frame: &[u8], max_readings: usize) -> Result<Survey, RefusedFrame> {
    let mut surveyor = Surveyor { cursor: Cursor::new(frame), found: Survey::default(), values: 0, max_readings, wrong: None };
    let wrong = surveyor.frame().err().map(Why::from).or(surveyor.wrong);
    match wrong {
        None => Ok(surveyor.found),
        Some(Why { code, message }) => {
            Err(RefusedFrame { seqs: surveyor.found.batches.into_iter().map(|(_, seq)| seq).collect(), code, message })
        }
    }
}

struct Why {
    code: FrameCode,
    message: String,
}

impl From<Malformed> for Why {
    fn from(malformed: Malformed) -> Self {
        let code = if let Malformed::Deep { .. } = malformed { FrameCode::LimitDepth } else { FrameCode::BadFrame };
        Self { code, message: malformed.to_string() }
    }
}

struct Surveyor<'a> {
    cursor: Cursor<'a>,
    found: Survey,
    /// Readings, and arrays, which cost as much to go through.
    values: usize,
    max_readings: usize,
    /// The first thing wrong with a frame that is well-formed. Noted and gone past, since `seq` may come after it.
    wrong: Option<Why>,
}

impl<'a> Surveyor<'a> {
    fn frame(&mut self) -> Result<(), Malformed> {
        if self.cursor.is_at_end() {
            self.wrong("the frame is empty, expected readings".to_owned());
        }
        while !self.cursor.is_at_end() {
            let start = self.cursor.at();
            match self.cursor.token()? {
                Token::Map(pairs) => self.map(start, pairs, 0, true)?,
                token => self.other(token, 0)?,
            }
        }
        Ok(())
    }

    /// A value at a reading's place that is not a map: an array of readings, or something that will be refused.
    fn other(&mut self, token: Token<'a>, depth: usize) -> Result<(), Malformed> {
        self.count(1);
        let Token::Array(count) = token else {
            return Ok(());
        };
        self.open(depth)?;
        (0..count).try_for_each(|_| self.item(depth + 1))
    }

    fn item(&mut self, depth: usize) -> Result<(), Malformed> {
        let start = self.cursor.at();
        match self.cursor.token()? {
            Token::Map(pairs) => self.map(start, pairs, depth, false),
            token => self.other(token, depth),
        }
    }

    /// A reading, row or Telegraf metric; at the top of the frame perhaps a batch.
    fn map(&mut self, start: usize, pairs: u32, depth: usize, at_top: bool) -> Result<(), Malformed> {
        self.open(depth)?;
        let (mut seq, mut has_readings, mut values, mut stray) = (None, false, None::<usize>, None);
        for _ in 0..pairs {
            let key = self.cursor.token()?;
            let Token::Text(name) = key else {
                self.cursor.pass_content(key, depth + 1)?;
                self.cursor.pass(depth + 1)?;
                stray = stray.or(Some(key));
                continue;
            };
            match name {
                b"seq" if at_top => {
                    let number = self.seq(depth)?;
                    match (seq.replace(number), number) {
                        (Some(_), _) => self.wrong("`seq` is given twice".to_owned()),
                        (None, Some(number)) => self.found.batches.push((start, number)),
                        (None, None) => {}
                    }
                }
                b"readings" if at_top => {
                    if std::mem::replace(&mut has_readings, true) {
                        self.wrong("`readings` is given twice".to_owned());
                    }
                    let before = self.values;
                    self.readings(depth)?;
                    // A batch is answered even when it is empty.
                    self.count(usize::from(self.values == before));
                }
                b"values" | b"fields" => {
                    let token = self.cursor.token()?;
                    // Both may be there, and each more than once: which of them is decided is not known here, so all count.
                    let more = if let Token::Map(count) = token { count as usize } else { 1 };
                    values = Some(values.unwrap_or(0).saturating_add(more));
                    self.cursor.pass_content(token, depth + 1)?;
                    stray = stray.or(Some(key));
                }
                _ => {
                    self.cursor.pass(depth + 1)?;
                    stray = stray.or(Some(key));
                }
            }
        }
        match (seq, has_readings, stray) {
            (None, false, _) => self.count(values.unwrap_or(1)),
            (Some(_), true, None) => {}
            (None, true, _) => self.wrong("`readings` without `seq`, expected {seq, readings}".to_owned()),
            (Some(_), false, _) => self.wrong("`seq` without `readings`, expected {seq, readings}".to_owned()),
            (Some(_), true, Some(stray)) => {
                let key = if let Token::Text(name) = stray { format!("`{}`", shown(name)) } else { stray.name().to_owned() };
                self.wrong(format!("{key} in a batch, expected only `seq` and `readings`"));
            }
        }
        Ok(())
    }

    fn seq(&mut self, depth: usize) -> Result<Option<Seq>, Malformed> {
        match self.cursor.token()? {
            Token::Int(number) => Ok(Some(Seq::from(number))),
            Token::Big(number) => Ok(Some(Seq::from(number))),
            token => {
                self.wrong(format!("`seq` is {}, expected an integer", token.name()));
                self.cursor.pass_content(token, depth + 1)?;
                Ok(None)
            }
        }
    }

    fn readings(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.cursor.token()? {
            Token::Array(count) => (0..count).try_for_each(|_| self.item(depth + 2)),
            token => {
                self.wrong(format!("`readings` is {}, expected an array", token.name()));
                self.cursor.pass_content(token, depth + 1)
            }
        }
    }

    /// An array or map is gone into with `depth` of them around it. This is what bounds the recursion here.
    fn open(&self, depth: usize) -> Result<(), Malformed> {
        if depth < NESTING { Ok(()) } else { Err(Malformed::Deep { at: self.cursor.at() }) }
    }

    fn count(&mut self, more: usize) {
        self.values += more;
        if self.values > self.max_readings && self.wrong.is_none() {
            let message = format!("more than {} readings in one frame, the limit is [ingest] batch_readings", self.max_readings);
            self.wrong = Some(Why { code: FrameCode::LimitBatch, message });
        }
    }

    fn wrong(&mut self, message: String) {
        self.wrong.get_or_insert(Why { code: FrameCode::BadFrame, message });
    }
}
