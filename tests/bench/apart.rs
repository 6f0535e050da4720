//! One series of a day without sockets, in this process: what the store takes to give its readings, and what it takes to write them.

use std::sync::Arc;

use telltale::auth::access::Scope;
use telltale::clock::Clock;
use telltale::config::{Config, Flag, Sources as Settings};
use telltale::http::history::plan::{Plan, Sources};
use telltale::http::history::write;
use telltale::hub::Hub;
use telltale::query::request::History;
use telltale::query::source;
use tempfile::TempDir;

use crate::history::ways;

/// `question` without its selector.
pub(crate) fn history(data: &Arc<TempDir>, question: &str) {
    let flags = vec![Flag { flag: "--data-dir", section: "data", key: "dir", value: data.path().display().to_string() }];
    let config = Config::load(&Settings { file: None, variables: Vec::new(), flags }).expect("good settings");
    actix_web::rt::System::new().block_on(async {
        let hub = Hub::open(config, Clock::system()).expect("the hub opens");
        println!("  in this process, without sockets");
        ways(
            &[
                ("readings as columns", &|metric| columns(&plan(&hub, metric, question))),
                ("written as JSON", &|metric| written(&plan(&hub, metric, question))),
                ("written as MessagePack", &|metric| written(&plan(&hub, metric, &format!("{question}&format=msgpack")))),
            ],
            &|| crate::hub::cpu_s(std::process::id()),
        );
        hub.stop().await;
    });
}

fn plan(hub: &Hub, metric: usize, question: &str) -> Plan {
    let text = format!("select=device-00001/metric_{metric:02}&{question}");
    let question = History::parse(text.split('&').filter_map(|pair| pair.split_once('=')), hub.clock.now()).expect("a good question");
    let sources = Sources { series: &hub.series, head: &hub.head, store: Some(&hub.store), retention: &hub.retention };
    Plan::make(question, sources, &Scope::default(), &*hub.devices, usize::MAX).expect("a small answer")
}

/// Bytes of times and values.
fn columns(plan: &Plan) -> usize {
    let mut points = 0;
    for one in &plan.series {
        source::scan(&one.view, plan.past(), one.series.id, plan.range(), &mut |run| {
            points += run.len();
            true
        })
        .expect("the store can be read");
    }
    points * 16
}

fn written(plan: &Plan) -> usize {
    let mut bytes = 0;
    write::write(plan, &mut |piece| {
        bytes += piece.len();
        true
    })
    .expect("the store can be read");
    bytes
}
