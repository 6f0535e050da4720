//! `make bench-query`: questions about the past to the hub, InfluxDB and VictoriaMetrics, on the same readings. Answers are compared
//! before times are told; another answer ends the run.
//!
//! | file | holds |
//! |---|---|
//! | `data` | the readings, and how they come into each program |
//! | `timed` | CPU and wall of a question, cold and warm |
//! | `answers` | what was answered, in one form, and how it is compared |
//! | `hub_side`, `influx_side`, `victoria_side` | the same questions in the language of each program |
//! | `inside` | what last known values take in the store, without HTTP |
//!
//! Cold: the program was started anew, asked about a minute beside the range, and the page cache was dropped.

mod answers;
mod data;
mod hub_side;
mod influx_side;
mod inside;
mod timed;
mod victoria_side;

use std::sync::Arc;

use tempfile::TempDir;

use self::answers::Table;
use self::data::{COLUMNS, MANY, Past, SECOND};
use self::hub_side::HubSide;
use self::influx_side::InfluxSide;
use self::timed::{Program, measure};
use self::victoria_side::VictoriaSide;

/// A program that is measured beside the hub.
trait Peer: Program {
    fn name(&self) -> &'static str;
    fn write(&mut self, past: &Past);
    /// All has come to rest.
    fn settle(&mut self);
    /// Least, greatest, last, count and mean of each column of one series.
    fn columns(&mut self, past: &Past) -> Table;
    /// The question whose time is told.
    fn extremes_question(&self, past: &Past) -> String;
    /// Means of the fleet in buckets of so many seconds.
    fn fleet(&mut self, past: &Past, every_s: i64) -> Table;
    fn fleet_question(&self, past: &Past, every_s: i64) -> String;
    /// Last values of many series: by device and metric, at time 0.
    fn last(&mut self, past: &Past) -> Table;
    fn last_question(&self, past: &Past) -> String;
}

pub(crate) fn query() {
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(InfluxSide::start())];
    peers.extend(VictoriaSide::start().map(|victoria| Box::new(victoria) as Box<dyn Peer>));
    beside(peers);
}

/// Without peers, for who works on the hub.
pub(crate) fn hub_alone() {
    beside(Vec::new());
}

fn beside(mut peers: Vec<Box<dyn Peer>>) {
    println!("questions about the past: CPU of the program and wall, medians of {} cold and {} warm questions", timed::COLD, timed::WARM);
    inside::last_of_many();
    let (series, fleet) = ([("regular", Past::regular()), ("jittered", Past::jittered())], Past::fleet());
    for peer in &mut peers {
        series.iter().map(|(_, past)| past).chain([&fleet]).for_each(|past| peer.write(past));
        peer.settle();
    }
    for (name, past) in &series {
        one_series(name, past, &mut peers);
    }
    many_series(&fleet, &mut peers);
    a_year();
}

/// Ten million points to 2,000 columns.
fn one_series(name: &str, past: &Past, peers: &mut [Box<dyn Peer>]) {
    println!("  one series, {name} times each 100 ms, {:.1} M points, {COLUMNS} columns", past.points_asked() as f64 / 1e6);
    let data = past.live_through();
    let of_rollups = of_hub(&data, past, "rollups");
    data::drop_rollups(&data);
    let of_chunks = of_hub(&data, past, "chunks alone");
    answers::compare("the hub with rollups", &of_chunks, &of_rollups, 4);
    for peer in peers {
        let found = peer.columns(past);
        answers::compare(peer.name(), &of_chunks, &found, 4);
        let question = peer.extremes_question(past);
        measure(&mut **peer, &question).print(&format!("{}: least and greatest of each 500 s", peer.name()));
    }
}

/// All that the hub is asked about one series, and what it says of each column.
fn of_hub(data: &Arc<TempDir>, past: &Past, from: &str) -> Table {
    let mut hub = HubSide::open(data, past);
    let columns = hub.columns(past);
    let points = format!("points={COLUMNS}");
    answers::check_thinned(&columns, &hub.points(past, &points), past.column_ms());
    for (what, question) in [
        ("points=2000, columns of 500 s", hub.history(past.asked(), &points)),
        ("points=2000, the same seven seconds later", hub.history(past.a_little_later(), &points)),
        ("points=2000, columns of 8 min", hub.history(past.whole_minutes(), &points)),
        ("least and greatest of each 500 s", hub.history(past.asked(), "every=500s&agg=min,max")),
        ("the greatest of all", hub.history(past.asked(), "agg=max")),
        ("the greatest of all and the last", hub.history(past.asked(), "agg=max,last")),
    ] {
        let figures = measure(&mut hub, &question);
        figures.print(&format!("hub, from {from}: {what}"));
        // Chunks tell the greatest of themselves, but not the last.
        if from != "rollups" && question.ends_with("agg=max,last") {
            println!(
                "      every reading is looked at: {:.0} M points per CPU second",
                past.points_asked() as f64 / figures.warm_cpu_ms / 1e3
            );
        }
    }
    columns
}

/// What a dashboard of many asks: last values, and means by hour and by day.
fn many_series(past: &Past, peers: &mut [Box<dyn Peer>]) {
    println!(
        "  last values of {MANY} series; 100 series a minute apart, {:.1} M points, by hour and by day",
        past.points_asked() as f64 / 1e6
    );
    let data = past.live_through();
    let mut hub = HubSide::open(&data, past);
    let last = hub.last();
    assert_eq!(last.len(), MANY, "the hub knows each");
    let sums = [3600, 86_400].map(|every_s| (every_s, hub.fleet(past, every_s)));
    let question = hub.last_question();
    measure(&mut hub, &question).print("hub: last values as JSON");
    for (every_s, _) in &sums {
        let question = hub.fleet_question(past, *every_s);
        measure(&mut hub, &question).print(&format!("hub: means of each {every_s} s"));
    }
    drop(hub);
    for peer in peers {
        answers::compare(peer.name(), &last, &peer.last(past), 1);
        let question = peer.last_question(past);
        measure(&mut **peer, &question).print(&format!("{}: last values", peer.name()));
        for (every_s, sums) in &sums {
            answers::compare(peer.name(), sums, &peer.fleet(past, *every_s), 0);
            let question = peer.fleet_question(past, *every_s);
            measure(&mut **peer, &question).print(&format!("{}: means of each {every_s} s", peer.name()));
        }
    }
}

/// The first picture of a long range, and a zoom into it: the hub alone.
fn a_year() {
    let past = Past::year();
    println!("  one series of a year, {:.1} M points", past.points_asked() as f64 / 1e6);
    let data = past.live_through();
    let mut hub = HubSide::open(&data, &past);
    let points = format!("points={COLUMNS}");
    for (what, range) in [
        ("the year", past.asked()),
        ("the year an hour later", past.an_hour_later()),
        ("the year as a page asks, columns of 4 h", past.whole_hours()),
        ("an hour of it", past.around_the_middle(3600 * SECOND)),
        ("a minute of it", past.around_the_middle(60 * SECOND)),
    ] {
        let question = hub.history(range, &points);
        measure(&mut hub, &question).print(&format!("hub: {what}, points=2000"));
    }
}
