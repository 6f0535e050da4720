//! What a program pushes: one measured value with its names. Names stand in full here and in the spool; aliases exist
//! only on a connection.

/// A measured value. Integers and floats are kept as they came.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
}

/// What a series is; absent means that the hub decides (number = gauge, bool = state, text = text).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Gauge,
    Counter,
    State,
    Text,
}

impl Kind {
    /// The four names, as they are written in readings.
    pub const NAMES: [&'static str; 4] = ["gauge", "counter", "state", "text"];

    /// The kind of this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Kind> {
        match name {
            "gauge" => Some(Kind::Gauge),
            "counter" => Some(Kind::Counter),
            "state" => Some(Kind::State),
            "text" => Some(Kind::Text),
            _ => None,
        }
    }
}

/// One measured value of one series. Without a time it gets the time of the push.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub device: String,
    pub metric: String,
    /// Part of the series' identity. Order does not matter.
    pub labels: Vec<(String, String)>,
    /// Nanoseconds since 1970 UTC.
    pub time: Option<i64>,
    pub value: Value,
    pub unit: Option<String>,
    pub kind: Option<Kind>,
}

impl Reading {
    #[must_use]
    pub fn new(device: impl Into<String>, metric: impl Into<String>, value: impl Into<Value>) -> Reading {
        Reading {
            device: device.into(),
            metric: metric.into(),
            labels: Vec::new(),
            time: None,
            value: value.into(),
            unit: None,
            kind: None,
        }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Reading {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Sets the time, in nanoseconds since 1970 UTC.
    #[must_use]
    pub fn at(mut self, time_ns: i64) -> Reading {
        self.time = Some(time_ns);
        self
    }

    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Reading {
        self.unit = Some(unit.into());
        self
    }

    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Reading {
        self.kind = Some(kind);
        self
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}
