//! The questions in MetricsQL. A window of VictoriaMetrics ends with its step, inside; readings are whole milliseconds, so one that ends a
//! millisecond before the next column is that column.

use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::Peer;
use super::answers::{self, Table};
use super::data::{Past, SECOND, earlier, later_ms};
use super::timed::Program;
use crate::victoria::Victoria;

pub(super) struct VictoriaSide {
    /// None while it is started anew.
    running: Option<Victoria>,
}

impl VictoriaSide {
    pub(super) fn start() -> Option<Self> {
        Victoria::start().map(|victoria| Self { running: Some(victoria) })
    }

    fn victoria(&self) -> &Victoria {
        self.running.as_ref().expect("it runs")
    }

    /// Rows of each series of an answer: the name that `series` gives it, and what it is a value of.
    fn rows(&mut self, question: &str, width_ms: i64, series: impl Fn(&Value) -> String) -> Vec<((String, i64), f64)> {
        let answer = answers::json(&self.ask(question));
        let value = |row: &Value| answers::text(&row[1]).parse().expect("a number as text");
        // The window that ends a millisecond before the next.
        let start = |row: &Value| later_ms((answers::number(&row[0]) * 1e3).round() as i64 + 1 - width_ms);
        let results = answers::array(&answer["data"]["result"]).iter();
        results
            .flat_map(|one| answers::array(&one["values"]).iter().map(|row| ((series(&one["metric"]), start(row)), value(row))))
            .collect()
    }
}

fn range(past: &Past, step_s: i64, query: &str) -> String {
    let (from, to) = past.asked();
    let second = |time: i64| format!("{:.3}", (earlier(time) / 1_000_000 - 1) as f64 / 1e3);
    let pairs = [
        ("query", query),
        ("start", &second(from + step_s * SECOND)),
        ("end", &second(to)),
        ("step", &format!("{step_s}s")),
        ("nocache", "1"),
    ];
    format!("/api/v1/query_range?{}", Serializer::new(String::new()).extend_pairs(pairs).finish())
}

fn of_column(past: &Past, function: &str) -> String {
    range(past, 500, &format!(r#"{function}(m_metric_00{{device="{}"}}[500s])"#, past.device()))
}

impl Peer for VictoriaSide {
    fn name(&self) -> &'static str {
        "VictoriaMetrics"
    }

    fn write(&mut self, past: &Past) {
        for list in past.lines() {
            let _readings = self.victoria().write(&[list]);
        }
    }

    fn settle(&mut self) {
        self.victoria().force_merge();
    }

    fn columns(&mut self, past: &Past) -> Table {
        let mut table = Table::new();
        for function in ["min", "max", "last", "count", "avg"] {
            let rows = self.rows(&of_column(past, &format!("{function}_over_time")), 500_000, |_| past.device());
            rows.into_iter().for_each(|(key, value)| table.entry(key).or_default().push(value));
        }
        table
    }

    /// Least, greatest and mean in one pass.
    fn extremes_question(&self, past: &Past) -> String {
        of_column(past, "rollup")
    }

    fn fleet(&mut self, past: &Past, every_s: i64) -> Table {
        let question = self.fleet_question(past, every_s);
        let rows = self.rows(&question, every_s * 1000, |metric| answers::text(&metric["device"]).to_owned());
        rows.into_iter().map(|(key, value)| (key, vec![value])).collect()
    }

    fn fleet_question(&self, past: &Past, every_s: i64) -> String {
        range(past, every_s, &format!(r#"avg_over_time(m_metric_00{{device=~"device-01.*"}}[{every_s}s])"#))
    }

    fn last(&mut self, past: &Past) -> Table {
        let answer = answers::json(&self.ask(&self.last_question(past)));
        let name = |metric: &Value| {
            let metric_name = answers::text(&metric["__name__"]).trim_start_matches("m_");
            format!("{}/{metric_name}", answers::text(&metric["device"]))
        };
        let value = |one: &Value| answers::text(&one["value"][1]).parse().expect("a number as text");
        answers::array(&answer["data"]["result"]).iter().map(|one| ((name(&one["metric"]), 0), vec![value(one)])).collect()
    }

    fn last_question(&self, past: &Past) -> String {
        let time = (earlier(past.end()) / SECOND).to_string();
        let pairs = [("query", r#"last_over_time({device=~"device-00.*"}[1d])"#), ("time", &time), ("nocache", "1")];
        format!("/api/v1/query?{}", Serializer::new(String::new()).extend_pairs(pairs).finish())
    }
}

impl Program for VictoriaSide {
    fn pid(&self) -> u32 {
        self.victoria().pid()
    }

    fn restart(&mut self) {
        let victoria = self.running.take().expect("it runs");
        self.running = Victoria::start_in(victoria.stop());
        crate::hub::wait_until_idle(self.pid());
    }

    fn warm_up(&mut self) {
        self.ask("/api/v1/query?query=count(m_metric_01)&nocache=1");
    }

    fn ask(&mut self, question: &str) -> Vec<u8> {
        self.victoria().read(question)
    }
}
