//! Reads the frame headers of a client as its bytes pass by, and stops at the first that breaks a rule. actix-ws checks a declared
//! length only after it has buffered the whole frame; behind this guard it never sees such a header's payload. Pure.
//!
//! Invariants: it keeps ten bytes at most. A message, fragments together, never exceeds the limit.

/// The header that stopped the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    Protocol(&'static str),
    TooBig { bytes: u64, max: u64 },
}

#[derive(Debug)]
pub(super) struct Guard {
    max: u64,
    header: [u8; 10],
    have: usize,
    /// Masking key and payload still to pass.
    left: u64,
    /// Bytes of the fragmented message under way.
    fragments: Option<u64>,
}

impl Guard {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max as u64, header: [0; 10], have: 0, left: 0, fragments: None }
    }

    /// Follows these bytes. Err: the offset up to which they may pass on, and why no further.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<(), (usize, Violation)> {
        let mut at = 0;
        while at < bytes.len() {
            if self.left > 0 {
                let now = self.left.min((bytes.len() - at) as u64);
                self.left -= now;
                at += usize::try_from(now).expect("at most the bytes at hand");
                continue;
            }
            let start = at;
            while at < bytes.len() && self.have < self.header_len() {
                self.header[self.have] = bytes[at];
                self.have += 1;
                at += 1;
                // Judged byte by byte: a bad first byte needs no second.
                self.judge().map_err(|violation| (start, violation))?;
            }
            if self.have == self.header_len() {
                self.begin_payload().map_err(|violation| (start, violation))?;
            }
        }
        Ok(())
    }

    /// Of the part before the masking key, as far as it is known.
    fn header_len(&self) -> usize {
        match (self.have, self.header[1] & 0x7f) {
            (0 | 1, _) => 2,
            (_, 126) => 4,
            (_, 127) => 10,
            _ => 2,
        }
    }

    fn judge(&self) -> Result<(), Violation> {
        let (fin, reserved, opcode) = (self.header[0] & 0x80 != 0, self.header[0] & 0x70, self.header[0] & 0x0f);
        let control = opcode >= 8;
        if self.have == 1 {
            return match opcode {
                _ if reserved != 0 => Err(Violation::Protocol("a reserved bit is set")),
                3..=7 | 11.. => Err(Violation::Protocol("an opcode that is not defined")),
                8..=10 if !fin => Err(Violation::Protocol("a control frame in fragments")),
                0 if self.fragments.is_none() => Err(Violation::Protocol("a continuation of no message")),
                1 | 2 if self.fragments.is_some() => Err(Violation::Protocol("a new message inside a fragmented one")),
                _ => Ok(()),
            };
        }
        if self.have == 2 {
            if self.header[1] & 0x80 == 0 {
                return Err(Violation::Protocol("a client's frame is not masked"));
            }
            if control && self.header[1] & 0x7f > 125 {
                return Err(Violation::Protocol("a control frame of more than 125 bytes"));
            }
            if opcode == 8 && self.header[1] & 0x7f == 1 {
                return Err(Violation::Protocol("a close frame with half a code"));
            }
        }
        Ok(())
    }

    fn begin_payload(&mut self) -> Result<(), Violation> {
        let h = &self.header;
        let len = match h[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([h[2], h[3]])),
            127 => u64::from_be_bytes([h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9]]),
            len => u64::from(len),
        };
        let (fin, opcode) = (h[0] & 0x80 != 0, h[0] & 0x0f);
        if opcode < 8 {
            let bytes = self.fragments.unwrap_or(0).saturating_add(len);
            if bytes > self.max {
                return Err(Violation::TooBig { bytes, max: self.max });
            }
            self.fragments = (!fin).then_some(bytes);
        }
        self.have = 0;
        self.header[1] = 0;
        self.left = 4 + len;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1000;

    fn header(first: u8, len: u64) -> Vec<u8> {
        let mut out = vec![first];
        match len {
            0..=125 => out.push(0x80 | u8::try_from(len).unwrap()),
            126..=65535 => {
                out.push(0x80 | 126);
                out.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            _ => {
                out.push(0x80 | 127);
                out.extend(len.to_be_bytes());
            }
        }
        out
    }

    fn client(first: u8, len: usize) -> Vec<u8> {
        let mut out = header(first, len as u64);
        out.extend([9, 9, 9, 9]);
        out.extend(vec![0xff; len]);
        out
    }

    /// Passes the bytes in pieces of these lengths; gives how many bytes may go on, and the violation.
    fn run(bytes: &[u8], mut piece: impl FnMut() -> usize) -> (usize, Option<Violation>) {
        let mut guard = Guard::new(MAX);
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + piece().max(1)).min(bytes.len());
            if let Err((good, violation)) = guard.pass(&bytes[at..end]) {
                return (at + good, Some(violation));
            }
            at = end;
        }
        (at, None)
    }

    /// Good frames, what comes after them, and what that breaks.
    type Row = (Vec<Vec<u8>>, Vec<u8>, Option<Violation>);

    fn rows() -> Vec<Row> {
        let protocol = |what| Some(Violation::Protocol(what));
        let big = |bytes| Some(Violation::TooBig { bytes, max: MAX as u64 });
        let good = vec![client(0x82, 10), client(0x89, 125), client(0x81, 200), client(0x82, 0), client(0x82, MAX)];
        let fragments = vec![client(0x02, 10), client(0x89, 3), client(0x00, 0), client(0x80, 5), client(0x88, 2)];
        vec![
            (good.clone(), vec![], None),
            (fragments, vec![], None),
            (good.clone(), header(0x82, MAX as u64 + 1), big(MAX as u64 + 1)),
            (good.clone(), header(0x82, 1 << 40), big(1 << 40)),
            (good.clone(), header(0x82, u64::MAX), big(u64::MAX)),
            (vec![client(0x02, 600)], header(0x80, 401), big(1001)),
            (vec![client(0x02, 600), client(0x00, 400)], header(0x00, 1), big(1001)),
            (good.clone(), vec![0xc2], protocol("a reserved bit is set")),
            (good.clone(), vec![0x83], protocol("an opcode that is not defined")),
            (good.clone(), vec![0x8b], protocol("an opcode that is not defined")),
            (good.clone(), vec![0x09], protocol("a control frame in fragments")),
            (good.clone(), vec![0x80], protocol("a continuation of no message")),
            (vec![client(0x02, 1)], vec![0x82], protocol("a new message inside a fragmented one")),
            (good.clone(), vec![0x82, 5], protocol("a client's frame is not masked")),
            (good.clone(), vec![0x89, 0xfe], protocol("a control frame of more than 125 bytes")),
            (good, vec![0x88, 0x81], protocol("a close frame with half a code")),
        ]
    }

    #[test]
    fn a_broken_rule_stops_at_its_header_however_the_bytes_come() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        for (good, bad, violation) in rows() {
            let bytes = [good.concat(), bad.clone()].concat();
            let allowed = good.concat().len();
            assert_eq!(run(&bytes, || usize::MAX / 2), (if violation.is_some() { allowed } else { bytes.len() }, violation.clone()));
            let (passed, found) = run(&bytes, || 1);
            assert_eq!(found, violation, "byte by byte: {bad:02x?}");
            // Only bytes of the header itself can have gone on before it was judged.
            assert!(passed >= allowed && passed < allowed + 10, "{passed} {allowed}");
            for _ in 0..50 {
                let (passed, found) = run(&bytes, || rng.usize(1..300));
                assert_eq!(found, violation, "{bad:02x?}");
                assert!(passed >= allowed && passed < allowed + 10 || violation.is_none());
            }
        }
    }

    #[test]
    fn any_bytes_pass_or_are_refused() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..2000 {
            let bytes: Vec<u8> = (0..rng.usize(1..400)).map(|_| rng.u8(..)).collect();
            let whole = run(&bytes, || usize::MAX / 2).1;
            assert_eq!(run(&bytes, || 1).1, whole, "{bytes:02x?}");
        }
    }
}
