//! `make bench`: what this machine does, with release builds of the hub and real sockets on loopback.
//!
//! The load is framed by hand and encoded once; only the times in a frame change. So the figures are the hub's, as far as
//! two programs on one machine allow. Each scenario starts a hub of its own on an empty data directory.
//! The scenarios of the store take minutes and run only when they are named: `make bench-store`.

#![allow(clippy::print_stdout, reason = "the figures are what this program is for")]

mod card;
mod compact;
mod decode;
mod encoding;
mod export;
mod history;
mod hub;
mod influx;
#[path = "../system/influxd.rs"]
#[allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "of the whole-system tests, which use more of it; what fails, panics")]
mod influxd;
mod ingest;
#[path = "../system/inside.rs"]
#[allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "as below")]
mod inside;
mod late;
mod live;
mod many;
mod past;
mod query;
mod recorder;
mod reopen;
mod rest;
mod sensors;
mod socket;
mod store;
mod victoria;

const USUAL: [(&str, fn()); 5] = [
    ("decode", decode::decode),
    ("encoding", encoding::encoding),
    ("rows", ingest::rows),
    ("single", ingest::single),
    ("live", live::fan_out),
];
/// Takes a while, and runs when it is named.
const LONG: [(&str, fn()); 1] = [("export", export::export)];
const STORE: [(&str, fn()); 7] = [
    ("sustained", store::sustained),
    ("rest", rest::rest),
    ("history", history::history),
    ("reopen", reopen::reopen),
    ("late", late::late),
    ("many", many::many),
    ("card", card::card),
];
/// A part of `sustained` alone: `make bench BENCH=paced`. The others need peers that are built first: `make bench BENCH=influx`,
/// `make bench-query`.
const NAMED: [(&str, fn()); 4] =
    [("paced", store::paced_alone), ("influx", influx::beside), ("query", query::query), ("query-hub", query::hub_alone)];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [command, now, dir] = &wanted[..]
        && command == past::COMMAND
    {
        return past::serve(now, dir);
    }
    let is_wanted = |name: &str| wanted.iter().any(|word| word == name);
    for (_, scenario) in USUAL.iter().filter(|(name, _)| wanted.is_empty() || is_wanted(name)) {
        scenario();
    }
    for (_, scenario) in LONG.iter().filter(|(name, _)| is_wanted(name)) {
        scenario();
    }
    for (_, scenario) in STORE.iter().filter(|(name, _)| is_wanted("store") || is_wanted(name)) {
        scenario();
    }
    for (_, scenario) in NAMED.iter().filter(|(name, _)| is_wanted(name)) {
        scenario();
    }
}
