//! Bodies in, what is stored and what is said. The grammar is tested beside its parser.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;

use actix_web::http::header::CONTENT_ENCODING;
use actix_web::test::TestRequest;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value as Json, json};
use telltale_wire::RowCode;

use crate::auth::access::Role;
use crate::auth::local_access;
use crate::clock::NS_PER_SEC;
use crate::http::body::{Encoding, Intake, Pace};
use crate::http::testing::{Answer, NOW, TestHub};
use crate::ingest::line_protocol::{Lines, Precision};
use crate::ingest::session::Session;
use crate::limits::BODY_PIECE_BYTES;

async fn write(hub: &TestHub, uri: &str, body: impl Into<Vec<u8>>) -> Answer {
    let token = hub.token(Role::Agent, None, None);
    hub.call(TestRequest::post().uri(uri).set_payload(body.into()), Some(&token)).await
}

async fn write_v2(hub: &TestHub, body: impl Into<Vec<u8>>) -> Answer {
    write(hub, "/api/v2/write?org=o&bucket=b", body).await
}

/// `device/metric{labels} value @nanoseconds before now`
async fn stored(hub: &TestHub) -> Vec<String> {
    let answer = hub.ask("/api/v1/last?select=*/*&time=ns").await.json();
    let of = |series: &Json| {
        let labels: Vec<String> =
            series["labels"].as_object().unwrap().iter().map(|(n, v)| format!("{n}={}", v.as_str().unwrap())).collect();
        let text = |name: &str| series[name].as_str().unwrap().to_owned();
        let ago = NOW - series["time"].as_i64().unwrap();
        format!("{}/{}{{{}}} {} @{ago}", text("device"), text("metric"), labels.join(","), series["value"])
    };
    answer["series"].as_array().unwrap().iter().map(of).collect()
}

#[actix_web::test]
async fn lines_are_stored_by_device_metric_and_labels() {
    let hub = TestHub::open();
    let at = NOW - 5;
    let body = format!(
        "# made by hand\n\
         cpu,host=h\\ 1,cpu=cpu0 usage_idle=92.5,n=3i,up=true,name=\"a \\\"b\\\" \\\\c\" {at}\n\
         \n\
         disk,device=vda,host=h\\ 1,path=/ used=1u {at}\r\n\
         mem,device_id=meter/7,host=gw free=9007199254740993i {at}\n\
         a/b,device=d v=1"
    );
    let answer = write_v2(&hub, body).await;
    assert_eq!((answer.status, answer.text()), (204, String::new()));
    let expected = [
        "d/a.b.v{} 1.0 @0",
        "h 1/cpu.n{cpu=cpu0} 3 @5",
        "h 1/cpu.name{cpu=cpu0} \"a \\\"b\\\" \\\\c\" @5",
        "h 1/cpu.up{cpu=cpu0} true @5",
        "h 1/cpu.usage_idle{cpu=cpu0} 92.5 @5",
        "h 1/disk.used{path=/,tag_device=vda} 1 @5",
        "meter/7/mem.free{} 9007199254740993 @5",
    ];
    assert_eq!(stored(&hub).await, expected);
    let device = hub.ask("/api/v1/devices").await.json();
    let state = |name: &str| device["devices"].as_array().unwrap().iter().find(|d| d["device"] == name).unwrap().clone();
    assert_eq!((state("meter/7")["via"].clone(), state("meter/7")["state"].clone()), (json!("gw"), json!("online")));
    assert_eq!(state("d")["via"], json!("t"));
}

/// As of a program that pipes lines into one request for as long as it runs.
#[actix_web::test]
async fn a_body_that_lasts_for_hours_is_judged_by_the_clock_as_it_goes_on() {
    const HOUR: i64 = 3600 * NS_PER_SEC;
    let hub = TestHub::open();
    // Comments fill the piece, so that it is decided before the next one is there.
    let filled = BODY_PIECE_BYTES / 10 + 1;
    let line = |value: i64, time: i64| format!("m,host=h v={value}i {time}\n");
    let pieces = [line(1, NOW) + &"# nothing\n".repeat(filled), line(2, NOW + HOUR), line(3, NOW + 2 * HOUR)];
    let clock = hub.hub.clock.clone();
    let body = stream::iter(pieces).enumerate().map(move |(hour, piece)| {
        clock.set(NOW + if hour == 0 { 0 } else { HOUR });
        Ok::<_, Infallible>(Bytes::from(piece))
    });
    let session = Session::new(Arc::clone(&hub.hub.door), local_access());
    let mut intake = Intake::new(hub.hub.clone().into_inner(), session, Lines::new(Precision::parse("ns").unwrap()));
    intake.run(Encoding::Plain, body).await.unwrap();
    // An hour ahead of the clock is refused all the same.
    let refused: Vec<_> = intake.tally.quoted.iter().map(|refused| (refused.index as usize, refused.refusal.code)).collect();
    assert_eq!((intake.tally.stored, refused), (2, vec![(filled + 3, RowCode::TimeAhead)]));
    hub.hub.clock.set(NOW);
    assert_eq!(stored(&hub).await, [format!("h/m.v{{}} 2 @{}", -HOUR)]);
}

#[actix_web::test]
async fn a_precision_is_taken_by_its_name() {
    let rows = [("", 1), ("&precision=ns", 1), ("&precision=us", 1_000), ("&precision=ms", 1_000_000), ("&precision=s", 1_000_000_000)];
    for (precision, ns) in rows {
        let hub = TestHub::open();
        let answer = write(&hub, &format!("/api/v2/write?bucket=b{precision}"), format!("m,host=h v=1i {}", NOW / ns)).await;
        assert_eq!(answer.status, 204, "{precision}: {}", answer.text());
        assert_eq!(stored(&hub).await, [format!("h/m.v{{}} 1 @{}", NOW % ns)]);
    }
    for (text, known) in [("n", true), ("u", true), ("µ", true), ("m", true), ("h", true), ("d", false), ("S", false)] {
        assert_eq!(Precision::parse(text).is_some(), known, "{text}");
    }
    let hub = TestHub::open();
    let answer = write(&hub, "/api/v2/write?precision=minutes", "m,host=h v=1").await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("invalid")));
}

#[actix_web::test]
async fn what_is_wrong_is_said_and_the_rest_is_stored() {
    let seconds = NOW / 1_000_000_000;
    let rows = [
        ("m,host=h v=1,w=\"x\" \nm,host=h v=", 400, "unable to parse 'm,host=h v=': missing field value"),
        ("m,host=h v=1\nm,host v=1", 400, "unable to parse 'm,host v=1': missing tag value"),
        ("m,host=h v=1\nm,host=h v=2 noon", 400, "unable to parse 'm,host=h v=2 noon': bad timestamp"),
        ("m,host=h v=1\nm,host=h v=\"x\" 1795396029000000000", 422, "field type conflict: line 2: h/m.v: type_changed:"),
        ("m,host=h v=1,nan=NaN", 422, "line 1: h/m.nan: not_finite:"),
        ("m,host=h v=1,big=9223372036854775808i", 422, "line 1: h/m.big: value_range: integer 9223372036854775808"),
        ("m,host=h v=1\nm v=1", 422, "line 2: /m.v: no_device:"),
        ("m,host=h v=1\nm,host=h v=3", 422, "line 2: h/m.v: time_required:"),
        ("m,host=h v=1\nm,host=h v=3 17953960300", 422, "line 2: h/m.v: bad_time:"),
        ("m,host=h v=1\nm,host=h,a\\ b=1,a_b=2 v=3", 422, "line 2: /m.v: bad_label:"),
        ("m,host=h v=1\nm,host=h w=1 99999999999999999999", 422, "line 2: h/m.w: time_ahead:"),
    ];
    for (body, status, message) in rows {
        let hub = TestHub::open();
        let answer = write_v2(&hub, body).await;
        let said = answer.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, status, "{body}: {said}");
        assert!(said.contains(message) && said.contains("partial write: ") && said.ends_with(" dropped=1"), "{body}: {said}");
        let stored = stored(&hub).await;
        assert!(stored.contains(&"h/m.v{} 1.0 @0".to_owned()), "{body}: {stored:?}");
        assert_eq!(hub.hub.refusals.recent().len(), 1, "{body}");
        let v1 = write(&hub, "/write?db=d", body).await;
        assert_eq!((v1.status, v1.json()["error"].as_str().unwrap().contains("partial write: ")), (400, true));
    }
    let hub = TestHub::open();
    let answer = write(&hub, "/api/v2/write?precision=s", format!("m,host=h v=1 {seconds}\nm,host=h v=1 5\nx\ny")).await;
    assert_eq!((answer.status, answer.json()["line"].clone()), (400, json!(3)));
    assert!(answer.text().contains("time 5 in the precision of the request is before 2000"), "{}", answer.text());
    assert!(answer.text().contains("dropped=3"), "{}", answer.text());
}

#[actix_web::test]
async fn a_long_body_is_stored_in_pieces_zipped_or_not() {
    let lines = 30_000;
    let body: String = (0..lines).map(|n| format!("m,host=h,n={} v={n}i,w=0.5 {}\n", n % 10, NOW - 1_000_000 + n)).collect();
    assert!(body.len() > 4 * crate::limits::BODY_PIECE_BYTES);
    let plain = TestHub::open_with(|config| config.ingest.batch_readings = 1000);
    assert_eq!(write_v2(&plain, body.clone()).await.status, 204);
    // Two members, as `cat a.gz b.gz` makes.
    let half = body.len() / 2;
    let member = |text: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let zipped = [member(&body[..half]), member(&body[half..])].concat();
    let hub = TestHub::open();
    let token = hub.token(Role::Agent, None, None);
    let request = || TestRequest::post().uri("/api/v2/write").insert_header((CONTENT_ENCODING, "gzip"));
    assert_eq!(hub.call(request().set_payload(zipped.clone()), Some(&token)).await.status, 204);
    for hub in [&plain, &hub] {
        assert_eq!(hub.hub.metrics.readings_stored.value(), 2 * lines as u64);
        assert_eq!(hub.hub.metrics.readings_received.value(), 2 * lines as u64);
        let (series, points) = (hub.hub.series.len(), hub.hub.head.points());
        assert_eq!((series, points), (20, 2 * lines as usize));
    }
    // Again: the same sender, whose session knows its series.
    assert_eq!(hub.call(request().set_payload(zipped.clone()), Some(&token)).await.status, 204);
    assert_eq!(hub.hub.metrics.readings_duplicate.value(), 2 * lines as u64);
    for (broken, why) in [(&zipped[..zipped.len() - 9], "gzip"), (b"m,host=h v=1".as_slice(), "gzip")] {
        let answer = hub.call(request().set_payload(broken.to_vec()), Some(&token)).await;
        assert!(answer.status == 400 && answer.text().contains(why), "{} {}", answer.status, answer.text());
    }
    let request = TestRequest::post().uri("/write").insert_header((CONTENT_ENCODING, "br")).set_payload("m,host=h v=1");
    assert_eq!(hub.call(request, Some(&token)).await.status, 400);
}

#[actix_web::test]
async fn who_may_not_write_hears_it_in_influxdbs_words() {
    let hub = TestHub::open();
    let request = || TestRequest::post().uri("/api/v2/write").set_payload("m,host=h v=1");
    let viewer = hub.token(Role::Viewer, None, None);
    for (token, status, code) in [(None, 401, "unauthorized"), (Some("nobody"), 401, "unauthorized"), (Some(&*viewer), 403, "forbidden")] {
        let answer = hub.call(request(), token).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (status, json!(code)), "{token:?}");
    }
    let scoped = hub.token(Role::Agent, Some("mine"), None);
    assert_eq!(hub.call(TestRequest::post().uri("/write").set_payload("m v=1"), Some(&scoped)).await.status, 204);
    assert_eq!(stored(&hub).await, ["mine/m.v{} 1.0 @0"]);
    let answer = hub.call(request(), Some(&scoped)).await;
    assert!(answer.status == 422 && answer.text().contains("not_allowed"), "{}", answer.text());
    assert_eq!(hub.call(TestRequest::get().uri("/api/v2/write"), Some(&scoped)).await.status, 405);
}

#[actix_web::test]
async fn a_hub_that_takes_nothing_asks_for_it_again() {
    let hub = TestHub::open();
    hub.hub.health.poison("a test".to_owned());
    let answer = write_v2(&hub, "m,host=h v=1").await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (503, json!("unavailable")));
    let hub = TestHub::open_with(|config| config.ingest.frame_bytes = 64 << 10);
    let answer = write_v2(&hub, format!("m,host=h v=1\nm,host=h w=\"{}", "x".repeat(300 << 10))).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (413, json!("request too large")), "{}", answer.text());
}

#[test]
fn a_long_line_is_not_looked_at_for_every_few_bytes() {
    let longest = 4 << 20;
    let (mut pace, mut text, mut read) = (Pace::new(longest), 0, 0);
    while text <= longest {
        text += 4096;
        if pace.is_due(text) {
            read += text;
            pace.looked(text);
        }
    }
    assert!(read <= 3 * longest, "{read} bytes were read of {longest}");
    assert!(pace.is_due(longest + 1), "a line that is too long is refused at once");
    // Whole lines go on as they come.
    pace.looked(100);
    assert!(pace.is_due(crate::limits::BODY_PIECE_BYTES) && !pace.is_due(crate::limits::BODY_PIECE_BYTES - 1));
}

#[actix_web::test]
async fn what_clients_of_version_one_ask_first_is_answered() {
    let hub = TestHub::open();
    let (agent, viewer) = (hub.token(Role::Agent, None, None), hub.token(Role::Viewer, None, None));
    let form = |body: &'static str| {
        TestRequest::post().uri("/query").insert_header(("Content-Type", "application/x-www-form-urlencoded")).set_payload(body)
    };
    let done = json!({ "results": [{ "statement_id": 0 }] });
    let listed = |name: &str| {
        let series = json!([{ "name": "databases", "columns": ["name"], "values": [[name]] }]);
        json!({ "results": [{ "statement_id": 0, "series": series }] })
    };
    let rows = [
        (form("q=CREATE+DATABASE+%22telegraf%22"), done.clone()),
        (form("q=create+database+x+WITH+DURATION+1d&db=x"), done.clone()),
        (TestRequest::post().uri("/query?q=CREATE%20RETENTION%20POLICY%20a%20ON%20b%20DURATION%201d%20REPLICATION%201;"), done),
        (TestRequest::get().uri("/query?q=SHOW+DATABASES"), listed("telltale")),
        (TestRequest::get().uri("/query?q=show+databases+limit+1%3B&db=home"), listed("home")),
    ];
    for (request, expected) in rows {
        let answer = hub.call(request, Some(&agent)).await;
        assert_eq!((answer.status, answer.json()), (200, expected));
    }
    for query in ["", "?q=", "?q=SELECT+*+FROM+m", "?q=DROP+DATABASE+x", "?q=CREATE+DATABASE"] {
        let answer = hub.call(TestRequest::get().uri(&format!("/query{query}")), Some(&agent)).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.json()["error"].as_str().unwrap().ends_with("history is asked for at /api/v1/history"), "{query}");
    }
    let long = || form("").set_payload(format!("q={}", "x".repeat(1 << 20)));
    let answer = hub.call(long(), Some(&agent)).await;
    assert!(answer.status == 413 && answer.json()["error"].is_string(), "{}", answer.text());
    assert_eq!(hub.call(long(), None).await.status, 401, "whoever asks is looked at first");
    for (token, status) in [(None, 401), (Some(&*viewer), 403)] {
        let answer = hub.call(form("q=CREATE+DATABASE+x"), token).await;
        assert!(answer.status == status && answer.json()["error"].is_string(), "{token:?}: {}", answer.text());
    }
}
