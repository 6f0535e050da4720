#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test that cannot go on says so by a panic")]
//! Whole-system tests: the real program as a process, real sockets. One binary, one file per promise.

mod agent;
mod aside;
mod budget;
mod churn;
mod commands;
mod crash;
mod erase;
mod flips;
mod full;
mod gone;
mod held;
mod hub;
#[cfg(feature = "influxdb")]
mod influx;
#[cfg(all(feature = "influxdb", feature = "parquet"))]
mod influx_alike;
#[cfg(feature = "influxdb")]
mod influx_bucket;
#[cfg(feature = "influxdb")]
mod influx_log;
#[cfg(feature = "influxdb")]
mod influx_oracle;
#[cfg(feature = "influxdb")]
mod influx_outage;
#[cfg(feature = "influxdb")]
mod influx_tls;
#[cfg(feature = "influxdb")]
mod influxd;
#[cfg(feature = "influxdb")]
mod inside;
mod late;
mod lost;
mod many;
#[cfg(feature = "influxdb")]
mod migrate;
mod opened;
mod oracle;
mod powercut;
mod restored;
mod sdk;
#[cfg(feature = "influxdb")]
mod stores;
mod tools;
mod transfer;
mod upgrade;
mod viewer;
mod years;
