//! `make bench`: what this machine does, with release builds of the hub and real sockets on loopback.
//!
//! The load is framed by hand and encoded once; only the times in a frame change. So the figures are the hub's, as far as
//! two programs on one machine allow. Each scenario starts a hub of its own on an empty data directory.

#![allow(clippy::print_stdout, reason = "the figures are what this program is for")]

mod decode;
mod hub;
mod ingest;
mod live;
mod socket;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let all: [(&str, fn()); 4] = [("decode", decode::decode), ("rows", ingest::rows), ("single", ingest::single), ("live", live::fan_out)];
    for (name, scenario) in all {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            scenario();
        }
    }
}
