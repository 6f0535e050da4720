//! InfluxDB behind TLS, with certificates made for the test: an authority of one's own is trusted when it is named, and for everything
//! else the hub says what is to be done. Acks go on meanwhile, as in every outage.

use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use telltale::clock::{Clock, NS_PER_SEC};
use telltale::config::Influx;
use telltale::hub::Hub;
use telltale::model::{Delete, Reading, TimeRange, Value};

use crate::influx::{Points, config, empty_head, now, put, read, series};
use crate::influxd::Influxd;

/// A certificate and its key, as PEM.
struct Pair {
    cert: String,
    key: String,
}

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pair: Pair,
}

fn ca(name: &str) -> Ca {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let pair = Pair { cert: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() };
    Ca { issuer: Issuer::new(params, key), pair }
}

impl Ca {
    /// For one host, valid until a year begins.
    fn certificate(&self, host: &str, until: i32) -> Pair {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        Pair { cert: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

#[tokio::test]
async fn an_authority_that_is_named_is_trusted_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (own, other) = (ca("own"), ca("other"));
    let mut influxd = Influxd::start(dir.path());
    let plain = influxd.config();
    let good = own.certificate("127.0.0.1", 2100);
    influxd.secure(&good.cert, &good.key);
    let by = |ca: Option<&Ca>, influxd: &Influxd| Influx { ca: ca.map(|ca| ca.pair.cert.clone().into_bytes()), ..influxd.config() };
    // Readings, a delete and Flux: the hub has a client for each.
    let hub = std::sync::Arc::new(Hub::open(config(&data, by(Some(&own), &influxd)), Clock::system()).unwrap());
    assert_eq!(hub.influx.as_ref().unwrap().status().away, None);
    let (id, start) = (series(&hub, "d", "m", &[]), now() - 3600 * NS_PER_SEC);
    let point = |n: i64| (start + n * NS_PER_SEC, Value::Float(n as f64));
    let reading = |n: i64| Reading { series: id, time: point(n).0, value: point(n).1 };
    put(&hub, (0..100).map(reading).collect()).await;
    empty_head(&hub).await;
    hub.queue.delete(&[Delete { series: id, from: point(10).0, to: point(19).0 }]).await.unwrap();
    empty_head(&hub).await;
    let mut expected: Points = (0..10).chain(20..100).map(point).collect();
    assert_eq!(read(&hub, id, TimeRange::ALL).await.unwrap(), expected);
    hub.stop().await;
    drop(hub);

    let (expired, elsewhere) = (own.certificate("127.0.0.1", 2021), own.certificate("influxdb.example", 2100));
    let authority = "name the authority that signed its certificate in [store.influxdb] ca_file";
    let rows = [
        (&good, by(None, &influxd), authority),
        (&good, by(Some(&other), &influxd), authority),
        (&good, Influx { url: plain.url.clone(), ..by(Some(&own), &influxd) }, "url begins with https://"),
        (&elsewhere, by(Some(&own), &influxd), "its certificate is for another host"),
        (&expired, by(Some(&own), &influxd), "its certificate has expired"),
        (&own.pair, by(Some(&own), &influxd), "its certificate is one of an authority"),
    ];
    for (n, (certificate, influx, hint)) in (100..).zip(rows) {
        influxd.secure(&certificate.cert, &certificate.key);
        let hub = Hub::open(config(&data, influx), Clock::system()).unwrap();
        let away = hub.influx.as_ref().unwrap().status().away.expect("it is not let in");
        assert!(away.why.contains(hint), "{hint}: {}", away.why);
        put(&hub, vec![reading(n)]).await;
        expected.extend([point(n)]);
    }
    influxd.secure(&good.cert, &good.key);
    let hub = std::sync::Arc::new(Hub::open(config(&data, by(Some(&own), &influxd)), Clock::system()).unwrap());
    empty_head(&hub).await;
    assert_eq!(read(&hub, id, TimeRange::ALL).await.unwrap(), expected, "what was acked meanwhile");
}

#[tokio::test]
async fn an_address_with_https_of_a_server_without_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let influxd = Influxd::start(dir.path());
    let mut influx = influxd.config();
    influx.url.set_scheme("https").unwrap();
    let begun = Instant::now();
    let hub = Hub::open(config(&dir.path().join("data"), influx), Clock::system()).unwrap();
    let away = hub.influx.as_ref().unwrap().status().away.expect("nothing can be said to it");
    assert!(away.why.contains("[store.influxdb] url begins with http://"), "{}", away.why);
    assert!(begun.elapsed() < Duration::from_secs(20), "nobody waits for it");
}
