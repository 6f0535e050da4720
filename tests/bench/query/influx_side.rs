//! The questions in InfluxQL: influxd answers it without Flux's tables, which is its quicker way.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::Peer;
use super::answers::{self, Table};
use super::data::{Past, SECOND, Span, earlier, later_ms};
use super::timed::Program;
use crate::hub;
use crate::influxd::{Influxd, TOKEN};

pub(super) struct InfluxSide {
    influxd: Influxd,
    _data: Arc<TempDir>,
    /// Something small to ask.
    small: String,
}

impl InfluxSide {
    pub(super) fn start() -> Self {
        let data = hub::data_dir();
        Self { influxd: Influxd::start(data.path()), _data: data, small: "SELECT last(metric_00) FROM m".to_owned() }
    }

    fn rows(&mut self, question: &str, each: impl Fn(&Value, &[Value]) -> Vec<((String, i64), Vec<f64>)>) -> Table {
        let answer = answers::json(&self.ask(question));
        let mut table = Table::new();
        for series in answers::array(&answer["results"][0]["series"]) {
            for row in answers::array(&series["values"]) {
                table.extend(each(series, answers::array(row)));
            }
        }
        table
    }
}

fn within((from, to): Span) -> String {
    format!("time >= {} AND time < {}", earlier(from), earlier(to))
}

fn time_ms(row: &[Value]) -> i64 {
    later_ms(answers::number(&row[0]) as i64)
}

fn numbers(row: &[Value]) -> Vec<f64> {
    row[1..].iter().map(answers::number).collect()
}

fn of_columns(past: &Past, what: &str) -> String {
    format!("SELECT {what} FROM m WHERE device = '{}' AND {} GROUP BY time(500s) fill(none)", past.device(), within(past.asked()))
}

impl Peer for InfluxSide {
    fn name(&self) -> &'static str {
        "influxd"
    }

    fn write(&mut self, past: &Past) {
        let url = format!("{}api/v2/write?org=o&bucket=b&precision=ms", self.influxd.config().url);
        for list in past.lines() {
            for (body, _) in list.iter().filter(|(_, readings)| *readings > 0) {
                let request = ureq::post(&url).header("Authorization", format!("Token {TOKEN}"));
                request.send(body.as_bytes()).expect("influxd takes it");
            }
        }
    }

    fn settle(&mut self) {
        hub::wait_until_idle(self.influxd.pid());
    }

    fn columns(&mut self, past: &Past) -> Table {
        let all = "min(metric_00), max(metric_00), last(metric_00), count(metric_00), mean(metric_00)";
        self.rows(&of_columns(past, all), |_, row| vec![((past.device(), time_ms(row)), numbers(row))])
    }

    fn extremes_question(&self, past: &Past) -> String {
        of_columns(past, "min(metric_00), max(metric_00)")
    }

    fn fleet(&mut self, past: &Past, every_s: i64) -> Table {
        let question = self.fleet_question(past, every_s);
        let device = |series: &Value| answers::text(&series["tags"]["device"]).to_owned();
        self.rows(&question, |series, row| vec![((device(series), time_ms(row)), numbers(row))])
    }

    fn fleet_question(&self, past: &Past, every_s: i64) -> String {
        let (device, within) = ("device =~ /^device-01/", within(past.asked()));
        format!("SELECT mean(metric_00) FROM m WHERE {device} AND {within} GROUP BY time({every_s}s), device fill(none)")
    }

    fn last(&mut self, past: &Past) -> Table {
        let question = self.last_question(past);
        self.rows(&question, |series, row| {
            let device = answers::text(&series["tags"]["device"]);
            let columns = answers::array(&series["columns"])[1..].iter().map(answers::text);
            let each = columns.zip(numbers(row)).map(|(column, value)| (format!("{device}/{}", column.trim_start_matches("last_")), value));
            each.map(|(name, value)| ((name, 0), vec![value])).collect()
        })
    }

    fn last_question(&self, past: &Past) -> String {
        let day = within((past.end() - 86_400 * SECOND, past.end() + SECOND));
        format!("SELECT last(*) FROM m WHERE device =~ /^device-00/ AND {day} GROUP BY device")
    }
}

impl Program for InfluxSide {
    fn pid(&self) -> u32 {
        self.influxd.pid()
    }

    fn restart(&mut self) {
        self.influxd.kill();
        self.influxd.run();
        hub::wait_until_idle(self.influxd.pid());
    }

    fn warm_up(&mut self) {
        let small = format!("{} WHERE time > now() - 1m", self.small);
        self.ask(&small);
    }

    fn ask(&mut self, question: &str) -> Vec<u8> {
        let url = format!("{}query", self.influxd.config().url);
        let request = ureq::get(url).query("db", "b").query("epoch", "ms").query("q", question);
        let mut answer = request.header("Authorization", format!("Token {TOKEN}")).call().expect("influxd answers");
        answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("an answer has an end")
    }
}
