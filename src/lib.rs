//! Telltale, the hub. `app` wires the parts; the way of one reading is
//! `http` -> `ingest` -> `log` -> `head` -> `live`, and `query` goes beside it. ARCHITECTURE.md is the map.

pub mod app;
pub mod auth;
pub mod block;
pub mod boots;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod full;
pub mod growth;
pub mod head;
pub mod health;
pub mod http;
pub mod hub;
pub mod ingest;
pub mod keyed;
pub mod limits;
pub mod live;
pub mod log;
pub mod logging;
pub mod metrics;
pub mod model;
pub mod query;
pub mod replayed;
pub mod retention;
pub mod rows;
pub mod seal;
pub mod series;
pub mod sqlite;
pub mod store;
pub mod tls;
pub mod tools;
pub mod ws;
