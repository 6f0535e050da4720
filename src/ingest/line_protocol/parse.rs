//! The grammar of line protocol, as InfluxDB 2 reads it:
//! `measurement[,tag=value…] field=value[,field=value…] [timestamp]`, a line each. Nothing is copied: parts are places in the
//! bytes, and only what holds escapes is made anew when it is asked for.
//!
//! Source: the syntax page of InfluxDB's documentation, and influxdb/models/points.go for what it leaves open.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2};

/// What begins at a place.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// White space or a comment.
    Blank,
    Point {
        line: &'a [u8],
        /// Measurement and tags as they came.
        key: &'a [u8],
        time: Option<&'a [u8]>,
    },
    Malformed {
        line: &'a [u8],
        why: &'static str,
    },
    /// Well-formed, with more fields than a line may have.
    Crowded {
        line: &'a [u8],
    },
}

/// A field of the line that was parsed last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) key: Range<usize>,
    pub(super) value: Given,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    /// As it was read: it may be beyond all numbers, or none.
    Float(f64),
    Int(i64),
    Bool(bool),
    /// Within the quotes, escapes as they came.
    Text(Range<usize>),
    /// An integer that i64 does not hold.
    Beyond(Range<usize>),
}

/// Parses the line at `at`; its fields go into `fields`, of which it may have so many. Gives the line and where the next begins. None:
/// it does not end here, and more bytes are to come.
pub(super) fn line<'a>(buf: &'a [u8], at: usize, is_last: bool, most_fields: usize, fields: &mut Vec<Field>) -> Option<(Line<'a>, usize)> {
    fields.clear();
    let start = skip_space(buf, at);
    match buf.get(start) {
        None if is_last => return Some((Line::Blank, buf.len())),
        None => return None,
        Some(b'\n') => return Some((Line::Blank, start + 1)),
        Some(b'\r') if buf.get(start + 1) == Some(&b'\n') => return Some((Line::Blank, start + 2)),
        Some(b'#') => return to_newline(buf, start, is_last).map(|end| (Line::Blank, (end + 1).min(buf.len()))),
        Some(_) => {}
    }
    let mut scan = Scan { buf, at: start, fields, most_fields, is_crowded: false };
    match scan.point() {
        Ok((key, time)) if scan.at < buf.len() || is_last => {
            let (line, next) = (&buf[start..scan.at], (scan.at + 1).min(buf.len()));
            if scan.is_crowded {
                fields.clear();
                return Some((Line::Crowded { line }, next));
            }
            Some((Line::Point { line, key, time }, next))
        }
        Ok(_) => None,
        Err(why) => {
            fields.clear();
            let end = line_end(buf, start);
            if end == buf.len() && !is_last {
                return None;
            }
            let line = buf[start..end].strip_suffix(b"\r").unwrap_or(&buf[start..end]);
            Some((Line::Malformed { line, why }, (end + 1).min(buf.len())))
        }
    }
}

/// Measurement and tags of a key, still escaped.
pub(super) struct Key<'a> {
    pub(super) measurement: &'a [u8],
    pub(super) tags: Vec<(&'a [u8], &'a [u8])>,
}

pub(super) fn key(key: &[u8]) -> Result<Key<'_>, &'static str> {
    let comma = unescaped(key, 0, b',');
    let measurement = &key[..comma];
    if measurement.is_empty() {
        return Err("missing measurement");
    }
    let mut tags = Vec::new();
    let mut at = comma;
    while at < key.len() {
        let end = unescaped(key, at + 1, b',');
        let tag = &key[at + 1..end];
        let equals = unescaped(tag, 0, b'=');
        let (name, value) = (&tag[..equals], tag.get(equals + 1..).unwrap_or_default());
        match (name, value) {
            ([], _) => return Err("missing tag key"),
            (_, []) => return Err("missing tag value"),
            _ if unescaped(value, 0, b'=') < value.len() => return Err("invalid tag format"),
            _ => tags.push((name, value)),
        }
        at = end;
    }
    let mut names: Vec<&[u8]> = tags.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return Err("duplicate tags");
    }
    Ok(Key { measurement, tags })
}

/// A name without the backslashes before `,`, `=` and space; a measurement keeps the one before `=`.
pub(super) fn name(raw: &[u8]) -> Cow<'_, [u8]> {
    unescape(raw, |byte| matches!(byte, b',' | b'=' | b' '))
}

pub(super) fn measurement(raw: &[u8]) -> Cow<'_, [u8]> {
    unescape(raw, |byte| matches!(byte, b',' | b' '))
}

pub(super) fn text(raw: &[u8]) -> Cow<'_, [u8]> {
    unescape(raw, |byte| matches!(byte, b'"' | b'\\'))
}

fn unescape(raw: &[u8], is_escaped: impl Fn(u8) -> bool) -> Cow<'_, [u8]> {
    if memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut made = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next_if(|next| is_escaped(*next)) } else { None };
        made.push(escaped.unwrap_or(byte));
    }
    Cow::Owned(made)
}

struct Scan<'a, 'f> {
    buf: &'a [u8],
    at: usize,
    fields: &'f mut Vec<Field>,
    most_fields: usize,
    /// There are more. They are gone past, to find the end of the line.
    is_crowded: bool,
}

impl<'a> Scan<'a, '_> {
    /// To the newline of the line, or the end of what there is.
    fn point(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), &'static str> {
        let buf = self.buf;
        let start = self.at;
        if self.peek() == Some(b',') {
            return Err("missing measurement");
        }
        self.at = start + unescaped_or_newline(&buf[start..]);
        if self.peek() != Some(b' ') {
            return Err("missing fields");
        }
        let key = &buf[start..self.at];
        self.at = skip_space(buf, self.at);
        loop {
            self.field()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        self.at = skip_space(buf, self.at);
        Ok((key, self.time()?))
    }

    fn field(&mut self) -> Result<(), &'static str> {
        let key = self.at;
        loop {
            match self.peek() {
                Some(b'=') => break,
                Some(b'\\') => self.at += 2,
                None | Some(b'\n') if key == self.at && self.fields.is_empty() => return Err("missing fields"),
                None | Some(b',' | b' ' | b'\n') => return Err("invalid field format"),
                Some(_) => self.at += 1,
            }
        }
        let key = key..self.at;
        if key.is_empty() {
            return Err("missing field key");
        }
        self.at += 1;
        let value = if self.peek() == Some(b'"') { self.text()? } else { self.bare()? };
        if self.fields.len() < self.most_fields {
            self.fields.push(Field { key, value });
        } else {
            self.is_crowded = true;
        }
        Ok(())
    }

    fn text(&mut self) -> Result<Given, &'static str> {
        let start = self.at + 1;
        self.at = start;
        loop {
            match memchr2(b'"', b'\\', self.buf.get(self.at..).unwrap_or_default()) {
                Some(n) if self.buf[self.at + n] == b'"' => {
                    let text = start..self.at + n;
                    self.at = text.end + 1;
                    self.pass_carriage_return();
                    return match self.peek() {
                        None | Some(b',' | b' ' | b'\n') => Ok(Given::Text(text)),
                        Some(_) => Err("invalid field format"),
                    };
                }
                Some(n) => self.at += n + 2,
                None => {
                    self.at = self.buf.len();
                    return Err("unbalanced quotes");
                }
            }
        }
    }

    fn bare(&mut self) -> Result<Given, &'static str> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if matches!(byte, b',' | b' ' | b'\n' | b'\r') {
                break;
            }
            self.at += 1;
        }
        let end = self.at;
        self.pass_carriage_return();
        let value = &self.buf[start..end];
        match value {
            [] => Err("missing field value"),
            // What begins as no number does, the words for what is none included, is a boolean.
            [first, ..] if !(first.is_ascii_digit() || b".-NnIi".contains(first)) => bool(value).map(Given::Bool),
            [digits @ .., b'i'] => int(digits).map(|int| int.map_or(Given::Beyond(start..end - 1), Given::Int)),
            [digits @ .., b'u'] if !digits.starts_with(b"-") => {
                int(digits).map(|int| int.map_or(Given::Beyond(start..end - 1), Given::Int))
            }
            _ => std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).map(Given::Float).ok_or("invalid number"),
        }
    }

    fn time(&mut self) -> Result<Option<&'a [u8]>, &'static str> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = &self.buf[start..self.at];
        self.at = skip_space(self.buf, self.at);
        self.pass_carriage_return();
        match self.peek() {
            None | Some(b'\n') if digits == b"-" => Err("bad timestamp"),
            None | Some(b'\n') => Ok((!digits.is_empty()).then_some(digits)),
            Some(_) => Err("bad timestamp"),
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.buf.get(self.at).copied()
    }

    /// Lines may end as on Windows.
    fn pass_carriage_return(&mut self) {
        let rest = self.buf.get(self.at..).unwrap_or_default();
        if rest == b"\r" || rest.starts_with(b"\r\n") {
            self.at += 1;
        }
    }
}

/// None: more than i64 holds.
fn int(digits: &[u8]) -> Result<Option<i64>, &'static str> {
    let unsigned = digits.strip_prefix(b"-").unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.iter().all(u8::is_ascii_digit) {
        return Err("invalid number");
    }
    Ok(std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()))
}

fn bool(value: &[u8]) -> Result<bool, &'static str> {
    match value {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => Ok(true),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => Ok(false),
        _ => Err("invalid boolean"),
    }
}

fn skip_space(buf: &[u8], at: usize) -> usize {
    let rest = buf.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | 0)).count()
}

/// Where `what` first stands without a backslash before it; the end if nowhere. A backslash before a backslash escapes nothing.
fn unescaped(bytes: &[u8], from: usize, what: u8) -> usize {
    let mut at = from;
    while let Some(n) = memchr(what, bytes.get(at..).unwrap_or_default()) {
        if at + n == 0 || bytes[at + n - 1] != b'\\' {
            return at + n;
        }
        at += n + 1;
    }
    bytes.len()
}

fn unescaped_or_newline(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(n) = memchr2(b' ', b'\n', &bytes[at..]) {
        at += n;
        if bytes[at] == b'\n' || at == 0 || bytes[at - 1] != b'\\' {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

fn to_newline(buf: &[u8], at: usize, is_last: bool) -> Option<usize> {
    memchr(b'\n', &buf[at..]).map(|n| at + n).or_else(|| is_last.then_some(buf.len()))
}

/// The newline that ends a line which is not well-formed: one within the quotes of a field does not.
fn line_end(buf: &[u8], start: usize) -> usize {
    let (mut at, mut in_fields, mut quoted) = (start, false, false);
    let (mut equals, mut commas) = (0, 0);
    while let Some(byte) = buf.get(at) {
        match byte {
            b'\\' if at + 2 < buf.len() => at += 1,
            b'\n' if !quoted => return at,
            b' ' => in_fields = true,
            b'=' if in_fields && !quoted => equals += 1,
            b',' if in_fields && !quoted => commas += 1,
            b'"' if in_fields && equals > commas => quoted = !quoted,
            _ => {}
        }
        at += 1;
    }
    buf.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `key|field=value,…|time`, `-` for blank, or why not.
    fn said(text: &str) -> String {
        let mut fields = Vec::new();
        let (line, next) = line(text.as_bytes(), 0, true, 4, &mut fields).unwrap();
        assert_eq!(next, text.len(), "{text:?}");
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match line {
            Line::Blank => "-".to_owned(),
            Line::Malformed { line, why } => {
                assert_eq!(lossy(line), text.trim_end_matches(['\n', '\r']));
                why.to_owned()
            }
            Line::Crowded { line } => format!("crowded {}", lossy(line)),
            Line::Point { key, time, .. } => {
                let of = |field: &Field| {
                    let value = match &field.value {
                        Given::Float(f) => format!("{f:?}"),
                        Given::Int(i) => format!("{i}i"),
                        Given::Bool(b) => b.to_string(),
                        Given::Text(at) => format!("{:?}", lossy(&super::text(&text.as_bytes()[at.clone()]))),
                        Given::Beyond(at) => format!("!{}", &text[at.clone()]),
                    };
                    format!("{}={value}", lossy(&name(&text.as_bytes()[field.key.clone()])))
                };
                let fields: Vec<_> = fields.iter().map(of).collect();
                format!("{}|{}|{}", lossy(key), fields.join(","), lossy(time.unwrap_or_default()))
            }
        }
    }

    #[test]
    fn lines_are_read_as_influxdb_reads_them() {
        let rows = [
            ("cpu,host=a usage=1 5\n", "cpu,host=a|usage=1.0|5"),
            ("cpu usage=1i,idle=-2i,n=3u", "cpu|usage=1i,idle=-2i,n=3i|"),
            ("cpu a=t,b=False,c=TRUE,d=f 1", "cpu|a=true,b=false,c=true,d=false|1"),
            ("cpu a=1.5e-3,b=.5,c=-1. 1", "cpu|a=0.0015,b=0.5,c=-1.0|1"),
            ("cpu a=1E+3,b=-2e0,c=1e5 1", "cpu|a=1000.0,b=-2.0,c=100000.0|1"),
            ("cpu a=T,b=F,c=True,d=FALSE 1", "cpu|a=true,b=false,c=true,d=false|1"),
            ("cpu a=0i,b=-9223372036854775808i,c=0u 1", "cpu|a=0i,b=-9223372036854775808i,c=0i|1"),
            ("\tcpu v=1", "cpu|v=1.0|"),
            ("  # cpu v=1", "-"),
            ("# it's \"so", "-"),
            ("m v=1 5 # no comment", "bad timestamp"),
            ("m v=tRUE", "invalid boolean"),
            ("m v=1e", "invalid number"),
            ("m v=1.1.1", "invalid number"),
            ("m v=0x1F", "invalid number"),
            ("m v=1 +5", "bad timestamp"),
            ("m v=1 2026-11-30T10:00:00Z", "bad timestamp"),
            ("m \"v\"=1", "m|\"v\"=1.0|"),
            ("\"m\",\"t\"=\"x\" v=1", "\"m\",\"t\"=\"x\"|v=1.0|"),
            ("m s='x'", "invalid boolean"),
            ("m  v=1", "m|v=1.0|"),
            ("m, v=1", "m,|v=1.0|"),
            ("m v=1, w=2", "invalid field format"),
            ("m s=\"a\\nb\"", "m|s=\"a\\\\nb\"|"),
            ("m s=\"\\\\\"", "m|s=\"\\\\\"|"),
            ("wetter,ort=Köln 温度=21.5", "wetter,ort=Köln|温度=21.5|"),
            ("cpu a=NaN,b=1,c=-Inf 1", "cpu|a=NaN,b=1.0,c=-inf|1"),
            ("cpu a=9223372036854775808i,b=18446744073709551615u", "cpu|a=!9223372036854775808,b=!18446744073709551615|"),
            ("m s=\"a b,c=d\\\"e\\\\f\\n\",t=1 7", "m|s=\"a b,c=d\\\"e\\\\f\\\\n\",t=1.0|7"),
            ("m s=\"two\nlines\" 7\n", "m|s=\"two\\nlines\"|7"),
            ("m s=\"\"", "m|s=\"\"|"),
            ("m\\ n,a\\,b=c\\=d\\ e f\\ g=1", "m\\ n,a\\,b=c\\=d\\ e|f g=1.0|"),
            ("m,path=C:\\\\ v=1", "missing fields"),
            ("m,path=C:\\\\x v=1", "m,path=C:\\\\x|v=1.0|"),
            ("  m v=1   -5  \r\n", "m|v=1.0|-5"),
            ("m v=1\r\n", "m|v=1.0|"),
            ("m v=\"x\"\r\n", "m|v=\"x\"|"),
            ("m v=t\r", "m|v=true|"),
            ("# v=1\n", "-"),
            ("\n", "-"),
            (" \t\r\n", "-"),
            ("", "-"),
            ("m", "missing fields"),
            ("m ", "missing fields"),
            ("m\n", "missing fields"),
            (",a=b v=1", "missing measurement"),
            ("m v", "invalid field format"),
            ("m v=1,w", "invalid field format"),
            ("m v=1,", "invalid field format"),
            ("m v=", "missing field value"),
            ("m v=,w=1", "missing field value"),
            ("m =1", "missing field key"),
            ("m v=1i2", "invalid number"),
            ("m v=i", "invalid number"),
            ("m v=-1u", "invalid number"),
            ("m v=1.5i", "invalid number"),
            ("m v=+1", "invalid boolean"),
            ("m v=one", "invalid boolean"),
            ("m v=nil", "invalid number"),
            ("m v=tru", "invalid boolean"),
            ("m v=\"x", "unbalanced quotes"),
            ("m v=\"x\"y", "invalid field format"),
            ("m v=1 x", "bad timestamp"),
            ("m v=1 1 2", "bad timestamp"),
            ("m v=1 1.5", "bad timestamp"),
            ("m v=1 -", "bad timestamp"),
            ("m a=1,b=2,c=3,d=4 5", "m|a=1.0,b=2.0,c=3.0,d=4.0|5"),
            ("m a=1,b=2,c=3,d=4,e=\"5\n\" 6", "crowded m a=1,b=2,c=3,d=4,e=\"5\n\" 6"),
            ("m a=1,b=2,c=3,d=4,e=5,f", "invalid field format"),
        ];
        for (text, expected) in rows {
            assert_eq!(said(text), expected, "{text:?}");
        }
    }

    #[test]
    fn tags_are_taken_apart() {
        let said = |text: &str| match key(text.as_bytes()) {
            Ok(Key { measurement: m, tags }) => {
                let lossy = |bytes: Cow<'_, [u8]>| String::from_utf8_lossy(&bytes).into_owned();
                let tags: Vec<_> = tags.iter().map(|(n, v)| format!("{}:{}", lossy(name(n)), lossy(name(v)))).collect();
                format!("{}|{}", lossy(measurement(m)), tags.join("|"))
            }
            Err(why) => why.to_owned(),
        };
        let rows = [
            ("cpu", "cpu|"),
            ("cpu,host=a,cpu=cpu0", "cpu|host:a|cpu:cpu0"),
            ("c\\,p\\=u,h\\ o=a\\,b\\\\c", "c,p\\=u|h o:a,b\\\\c"),
            (",host=a", "missing measurement"),
            ("cpu,", "missing tag key"),
            ("cpu,=a", "missing tag key"),
            ("cpu,host", "missing tag value"),
            ("cpu,host=", "missing tag value"),
            ("cpu,host=,a=b", "missing tag value"),
            ("cpu,host=a=b", "invalid tag format"),
            ("cpu,host=a,host=b", "duplicate tags"),
            ("cpu,host=a,cpu=0,host=a", "duplicate tags"),
            ("cpu,host=a,Host=a,h\\ =a", "cpu|host:a|Host:a|h :a"),
        ];
        for (text, expected) in rows {
            assert_eq!(said(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_in_pieces_waits_for_its_end() {
        let whole = "cpu,host=a v=\"x\ny\",w=1i 5\ncpu x\nm v=1 2\nm a=1,b=\"\n\",c=3 4\n";
        let all = |pieces: &[&str]| {
            let (mut found, mut fields, mut buf) = (Vec::new(), Vec::new(), Vec::new());
            for (n, piece) in pieces.iter().enumerate() {
                buf.extend_from_slice(piece.as_bytes());
                let mut at = 0;
                while at < buf.len()
                    && let Some((line, next)) = line(&buf, at, n + 1 == pieces.len(), 2, &mut fields)
                {
                    found.push(format!("{line:?} {}", fields.len()));
                    at = next;
                }
                buf.drain(..at);
            }
            assert!(buf.is_empty());
            found
        };
        let expected = all(&[whole]);
        assert_eq!(expected.len(), 4);
        for cut in 1..whole.len() {
            assert_eq!(all(&[&whole[..cut], &whole[cut..]]), expected, "{cut}");
        }
    }

    #[test]
    fn no_bytes_break_it() {
        let mut random = fastrand::Rng::with_seed(5);
        let alphabet = b"m,=\\ \"\n\r\t1i-.etT#\xff";
        let mut fields = Vec::new();
        for _ in 0..200_000 {
            let bytes: Vec<u8> = (0..random.usize(..24)).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
            for is_last in [false, true] {
                let mut at = 0;
                while at < bytes.len() {
                    let Some((found, next)) = line(&bytes, at, is_last, 2, &mut fields) else {
                        assert!(!is_last);
                        break;
                    };
                    assert!(next > at && next <= bytes.len(), "{bytes:?}");
                    if let Line::Point { key: found, .. } = found {
                        drop(key(found));
                        assert!(!fields.is_empty());
                    }
                    at = next;
                }
            }
        }
    }
}
