//! Every code that the device protocol can carry, in four tables: refusals of a reading, of a frame, of a batch for now,
//! and the codes of a WebSocket close frame. The hub, the SDK and the agent use these enums; a code's text is what a
//! person reads and what the plain protocol sends, its number is what `telltale.v1` sends.
//!
//! Invariants: a number or a text is never reused for another meaning; the number spaces of the first three tables do not
//! overlap (rows 1-99, frames 100-199, batches 200-299), so one `u16` names a code alone.

use std::fmt;

macro_rules! code_table {
    (
        $(#[$doc:meta])* $name:ident;
        $($variant:ident = $number:literal, $text:literal, retry $retry:literal, $meaning:literal;)+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum $name {
            $(#[doc = $meaning] $variant = $number,)+
        }

        impl $name {
            /// The whole table, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as people and the plain protocol write it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Whether the same data may be taken later: `true` means keep it and send it again.
            pub const fn retry(self) -> bool {
                match self { $(Self::$variant => $retry,)+ }
            }

            /// One sentence for documents and messages.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// The code as `telltale.v1` writes it.
            pub const fn number(self) -> u16 {
                self as u16
            }

            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// The code of this text, exactly as [`Self::as_str`] gives it.
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

code_table! {
    /// Why one reading was refused. The others of its frame are not touched.
    RowCode;
    BadDevice = 1, "bad_device", retry false, "The device id is empty or holds a control character.";
    BadMetric = 2, "bad_metric", retry false, "The metric name is empty, holds `/` or a control character.";
    BadLabel = 3, "bad_label", retry false, "A label's name or value has a form that is not allowed, or a name is given twice.";
    BadKind = 4, "bad_kind", retry false, "The kind is unknown or does not fit the type of the value.";
    BadTime = 5, "bad_time", retry false, "The time is of another type, before 2000, or text that is not RFC 3339 with an offset.";
    BadValue = 6, "bad_value", retry false, "The value is none of number, bool and text.";
    NotFinite = 7, "not_finite", retry false, "The value is NaN or infinite.";
    ValueRange = 8, "value_range", retry false, "The integer does not fit what the store can keep exactly.";
    TypeChanged = 9, "type_changed", retry false, "The series holds another of number, bool and text.";
    TimeRequired = 10, "time_required", retry false, "A second reading of the series in this frame has no time.";
    TimeAhead = 11, "time_ahead", retry true, "The time is more than ten minutes ahead of the hub's clock.";
    TooOld = 12, "too_old", retry false, "The time is before the floor of the retention.";
    UnknownField = 13, "unknown_field", retry false, "The reading has a key that is not known.";
    NoDevice = 14, "no_device", retry false, "No tag names the device and the token does not stand for one device.";
    NotAllowed = 15, "not_allowed", retry false, "The token does not reach this series.";
    LimitSeries = 16, "limit_series", retry true, "The token or the hub has as many series as it may have.";
    LimitLabels = 17, "limit_labels", retry false, "The reading has more labels than allowed.";
    LimitName = 18, "limit_name", retry false, "A name is longer than allowed.";
    LimitText = 19, "limit_text", retry false, "The text value is longer than allowed.";
}

code_table! {
    /// Why a whole frame was refused: nothing of it is stored, and the same bytes would be refused again.
    FrameCode;
    BadFrame = 100, "bad_frame", retry false, "The bytes are not a well-formed frame.";
    LimitFrame = 101, "limit_frame", retry false, "The frame is larger than allowed.";
    LimitBatch = 102, "limit_batch", retry false, "The frame holds more readings or text than a batch may.";
    LimitDepth = 103, "limit_depth", retry false, "The frame nests too deep.";
}

code_table! {
    /// Why the hub does not take a batch now. All of these mean: keep it and send it again.
    BatchCode;
    DiskFull = 200, "disk_full", retry true, "The hub's disk has no room.";
    StoreAway = 201, "store_away", retry true, "The store does not answer.";
    StoreFailed = 202, "store_failed", retry true, "A write failed, so the hub refuses writes until it is restarted.";
    ClockUnset = 203, "clock_unset", retry true, "The hub's clock is earlier than its build date.";
    Draining = 204, "draining", retry true, "The hub is stopping.";
    SlowDown = 205, "slow_down", retry true, "The hub has more waiting than it may hold.";
}

code_table! {
    /// The codes of a WebSocket close frame. `retry` true: connect again as usual. False: something has to change first, so
    /// an agent tries again only at its longest back-off.
    CloseCode;
    Normal = 1000, "normal", retry true, "The connection has done its work.";
    Draining = 1001, "draining", retry true, "The hub or the agent is stopping.";
    Protocol = 1002, "protocol", retry false, "A rule of WebSocket or of the device protocol was broken.";
    Unsupported = 1003, "unsupported", retry false, "A text frame came where only binary ones are spoken.";
    BadData = 1007, "bad_data", retry false, "Frames that cannot be read, more of them than are tolerated.";
    Policy = 1008, "policy", retry false, "A policy was broken, such as a hello that is not acceptable.";
    TooBig = 1009, "too_big", retry false, "A frame declares more bytes than allowed.";
    Failed = 1011, "failed", retry true, "The hub cannot go on with this connection.";
    TokenEnded = 4401, "token_ended", retry false, "The token was revoked or has ended.";
    SameAgent = 4409, "same_agent", retry false, "The same agent with the same boot id connected elsewhere.";
}

/// A refusal code as it travels in `telltale.v1`: one of the three tables, or a number this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    Row(RowCode),
    Frame(FrameCode),
    Batch(BatchCode),
    /// From a newer hub. What to do is in the frame's own `retry`.
    Unknown(u16),
}

impl Code {
    pub fn from_number(number: u16) -> Self {
        if let Some(code) = RowCode::from_number(number) {
            return Self::Row(code);
        }
        if let Some(code) = FrameCode::from_number(number) {
            return Self::Frame(code);
        }
        BatchCode::from_number(number).map_or(Self::Unknown(number), Self::Batch)
    }

    pub const fn number(self) -> u16 {
        match self {
            Self::Row(code) => code.number(),
            Self::Frame(code) => code.number(),
            Self::Batch(code) => code.number(),
            Self::Unknown(number) => number,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(code) => code.fmt(f),
            Self::Frame(code) => code.fmt(f),
            Self::Batch(code) => code.fmt(f),
            Self::Unknown(number) => write!(f, "code_{number}"),
        }
    }
}

impl From<RowCode> for Code {
    fn from(code: RowCode) -> Self {
        Self::Row(code)
    }
}

impl From<FrameCode> for Code {
    fn from(code: FrameCode) -> Self {
        Self::Frame(code)
    }
}

impl From<BatchCode> for Code {
    fn from(code: BatchCode) -> Self {
        Self::Batch(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_texts_lead_back_to_their_code_and_are_used_once() {
        let mut numbers = HashSet::new();
        macro_rules! check {
            ($table:ident) => {
                let mut texts = HashSet::new();
                for &code in $table::ALL {
                    assert_eq!($table::from_number(code.number()), Some(code));
                    assert_eq!($table::from_text(code.as_str()), Some(code));
                    assert!(texts.insert(code.as_str()), "{code} twice");
                    assert!(numbers.insert(code.number()), "{} twice", code.number());
                }
            };
        }
        check!(RowCode);
        check!(FrameCode);
        check!(BatchCode);
        check!(CloseCode);
        for number in 0..=u16::MAX {
            assert_eq!(Code::from_number(number).number(), number);
        }
    }

    #[test]
    fn the_row_codes_are_the_contract_s() {
        let table: Vec<String> = RowCode::ALL.iter().map(|code| format!("{code}{}", if code.retry() { "*" } else { "" })).collect();
        assert_eq!(
            table.join(" "),
            "bad_device bad_metric bad_label bad_kind bad_time bad_value not_finite value_range type_changed \
             time_required time_ahead* too_old unknown_field no_device not_allowed limit_series* limit_labels \
             limit_name limit_text"
        );
    }

    #[test]
    fn the_close_codes_are_the_contract_s() {
        let numbers: Vec<u16> = CloseCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers, [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 4401, 4409]);
    }
}
