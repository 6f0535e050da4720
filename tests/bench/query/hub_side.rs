//! The questions as the hub is asked them.

use std::sync::Arc;

use tempfile::TempDir;

use super::answers::{self, Table};
use super::data::{Past, SECOND, Span};
use super::timed::Program;
use crate::hub::Hub;
use crate::past::Told;

pub(super) struct HubSide {
    /// None while it is started anew.
    running: Option<(Hub, Told)>,
    past: Past,
    token: String,
}

impl HubSide {
    pub(super) fn open(data: &Arc<TempDir>, past: &Past) -> Self {
        let (hub, told) = past.open(Arc::clone(data));
        let token = hub.token("viewer");
        Self { running: Some((hub, told)), past: past.clone(), token }
    }

    fn hub(&self) -> &Hub {
        &self.running.as_ref().expect("it runs").0
    }

    pub(super) fn history(&self, (from, to): Span, more: &str) -> String {
        format!("history?select={}/metric_00&from={from}ns&to={to}ns&{more}", self.past.device())
    }

    /// Least, greatest, last, count and mean of each column.
    pub(super) fn columns(&mut self, past: &Past) -> Table {
        let question = self.history(past.asked(), "every=500s&agg=min,max,last,count,mean");
        self.table(&question)
    }

    fn table(&mut self, question: &str) -> Table {
        let answer = answers::json(&self.ask(question));
        let mut table = Table::new();
        for series in answers::array(&answer["series"]) {
            let device = answers::text(&series["device"]);
            for row in answers::array(&series["points"]) {
                let row: Vec<f64> = answers::array(row).iter().map(answers::number).collect();
                table.insert((device.to_owned(), row[0] as i64), row[1..].to_vec());
            }
        }
        table
    }

    /// Times and values of one series.
    pub(super) fn points(&mut self, past: &Past, more: &str) -> Vec<(f64, f64)> {
        let question = self.history(past.asked(), more);
        let answer = answers::json(&self.ask(&question));
        answers::array(&answer["series"][0]["points"])
            .iter()
            .map(|point| (answers::number(&point[0]), answers::number(&point[1])))
            .collect()
    }

    pub(super) fn fleet_question(&self, past: &Past, every_s: i64) -> String {
        let (from, to) = past.asked();
        format!("history?select=device-01*/metric_00&from={from}ns&to={to}ns&every={every_s}s&agg=mean")
    }

    pub(super) fn fleet(&mut self, past: &Past, every_s: i64) -> Table {
        let question = self.fleet_question(past, every_s);
        self.table(&question)
    }

    pub(super) fn last_question(&self) -> String {
        "last?select=device-00*/*".to_owned()
    }

    pub(super) fn last(&mut self) -> Table {
        let answer = answers::json(&self.ask(&self.last_question()));
        let name = |series: &serde_json::Value| format!("{}/{}", answers::text(&series["device"]), answers::text(&series["metric"]));
        answers::array(&answer["series"]).iter().map(|series| ((name(series), 0), vec![answers::number(&series["value"])])).collect()
    }
}

impl Program for HubSide {
    fn pid(&self) -> u32 {
        self.hub().process.id()
    }

    fn restart(&mut self) {
        let (hub, _told) = self.running.take().expect("it runs");
        self.running = Some(self.past.open(hub.stop()));
    }

    fn warm_up(&mut self) {
        let to = self.past.end();
        let question = self.history((to - 60 * SECOND, to), "points=100");
        self.ask(&question);
    }

    fn ask(&mut self, question: &str) -> Vec<u8> {
        let url = format!("http://{}/api/v1/{question}", self.hub().address);
        let mut answer = ureq::get(url).header("Authorization", format!("Bearer {}", self.token)).call().expect("the hub answers");
        answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("an answer has an end")
    }
}
