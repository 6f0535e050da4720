//! Requests to InfluxDB: writes and buckets by the influxdb2 crate; Flux and deletes by the same HTTP client, since the crate takes
//! whole answers as text and cuts the times of a delete to seconds.

use std::time::Duration;

use influxdb2::RequestError;
use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::models::Status;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::config::Influx;
use crate::model::{SeriesId, TimeNs};

use super::line::Names;

/// A connection that cannot be made.
const CONNECT: Duration = Duration::from_secs(5);
/// A request whose connection stands and that is not answered. Whoever waits decides earlier; only a write or a delete, which may be done
/// late, is waited for so long.
const GIVE_UP: Duration = Duration::from_secs(120);
/// Between two signs of life on a connection on which nothing comes.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is told of an answer. It may quote readings.
const ANSWER_CHARS: usize = 1000;

#[derive(Debug)]
pub(super) struct Client {
    influx: influxdb2::Client,
    http: reqwest::Client,
    config: Influx,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failed {
    /// Not now: no connection, no answer in time, or an answer that asks to come again.
    #[error("{0}")]
    Away(String),
    /// It may still be doing it.
    #[error("{0}")]
    Open(String),
    /// It answered that token, organisation or bucket are wrong.
    #[error("{0}")]
    Denied(String),
    /// It will not take this body.
    #[error("{0}")]
    Refused(String),
}

impl Failed {
    /// What InfluxDB said, or why it could not.
    pub(super) fn why(self) -> String {
        match self {
            Self::Away(why) | Self::Open(why) | Self::Denied(why) | Self::Refused(why) => why,
        }
    }
}

/// What is known of the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    /// None: it keeps everything.
    pub(super) keep: Option<Duration>,
}

impl Client {
    pub(super) fn new(config: &Influx) -> Result<Self, Failed> {
        let authorities = config.ca.as_deref().map_or(Ok(Vec::new()), authorities)?;
        let http = || {
            let client = reqwest::Client::builder().connect_timeout(CONNECT).tcp_keepalive(KEEP_ALIVE).use_rustls_tls();
            authorities.iter().cloned().fold(client, reqwest::ClientBuilder::add_root_certificate)
        };
        let built = |error: &dyn std::fmt::Display| Failed::Away(format!("the HTTP client cannot be made: {error}"));
        // No time-out for a whole answer of Flux: it may be long. A silent one is noticed by whoever reads it.
        let flux = http().build().map_err(|error| built(&error))?;
        let builder = http().timeout(GIVE_UP);
        let influx = influxdb2::ClientBuilder::with_builder(builder, config.url.as_str(), &config.org, &config.token);
        let influx = influx.build().map_err(|error| built(&error))?;
        Ok(Self { influx, http: flux, config: config.clone() })
    }

    pub(super) async fn write(&self, body: bytes::Bytes) -> Result<(), Failed> {
        let done = self.influx.write_line_protocol(&self.config.org, &self.config.bucket, body).await;
        done.map_err(|error| self.failed(error))
    }

    /// Whether the token may write to the bucket: InfluxDB says so before it looks at what is written, which is nothing.
    pub(super) async fn may_write(&self) -> Result<(), Failed> {
        match self.write(bytes::Bytes::new()).await {
            Err(Failed::Refused(_)) => Ok(()),
            answered => answered,
        }
    }

    /// Both ends are inside.
    pub(super) async fn delete(
        &self,
        measurement: &str,
        (names, series): (&Names, SeriesId),
        (from, to): (TimeNs, TimeNs),
    ) -> Result<(), Failed> {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let predicate = format!("_measurement={} AND \"{}\"=\"{}\"", quoted(measurement), names.tag(), names.of(series));
        let body = serde_json::json!({ "start": rfc3339(from), "stop": rfc3339(to), "predicate": predicate }).to_string();
        let request = self.http.post(self.url("/api/v2/delete", &[("org", &self.config.org), ("bucket", &self.config.bucket)]));
        let request = request.timeout(GIVE_UP).header(CONTENT_TYPE, "application/json").body(body);
        self.send(request).await.map(drop)
    }

    /// The answer as it comes in.
    pub(super) async fn query(&self, flux: String) -> Result<reqwest::Response, Failed> {
        let request = self.http.post(self.url("/api/v2/query", &[("org", &self.config.org)]));
        self.send(request.header(CONTENT_TYPE, "application/vnd.flux").body(flux)).await
    }

    /// Whether it is there and well.
    pub(super) async fn health(&self) -> Result<(), Failed> {
        let health = self.influx.health().await.map_err(|error| self.failed(error))?;
        match health.status {
            Status::Pass => Ok(()),
            Status::Fail => {
                Err(Failed::Away(format!("InfluxDB at {} is not well: {}", self.config.url, health.message.unwrap_or_default())))
            }
        }
    }

    /// Why nobody can be let in: no organisation, bucket and token were ever made.
    pub(super) async fn is_not_set_up(&self) -> Option<Failed> {
        let Influx { url, org, bucket, .. } = &self.config;
        let is_new = self.influx.is_onboarding_allowed().await.is_ok_and(|is_new| is_new);
        is_new.then(|| {
            Failed::Denied(format!(
                "InfluxDB at {url} is not set up: make the organisation \"{org}\", the bucket \"{bucket}\" and a token, by `influx setup` or on its page"
            ))
        })
    }

    /// Whether token, organisation and bucket are right, and how long it keeps.
    pub(super) async fn bucket(&self) -> Result<Bucket, Failed> {
        let Influx { org, bucket, .. } = &self.config;
        let request = ListBucketsRequest { name: Some(bucket.clone()), org: Some(org.clone()), ..Default::default() };
        let found = self.influx.list_buckets(Some(request)).await.map_err(|error| match self.failed(error) {
            Failed::Refused(why) => Failed::Denied(why),
            other => other,
        })?;
        let Some(found) = found.buckets.into_iter().find(|found| found.name == *bucket) else {
            return Err(Failed::Denied(format!("the organisation \"{org}\" has no bucket \"{bucket}\" that the token may read")));
        };
        let seconds = found.retention_rules.iter().map(|rule| u64::try_from(rule.every_seconds).unwrap_or(0)).find(|seconds| *seconds > 0);
        Ok(Bucket { keep: seconds.map(Duration::from_secs) })
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> reqwest::Url {
        let mut url = self.config.url.clone();
        url.set_path(path);
        url.query_pairs_mut().extend_pairs(query);
        url
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failed> {
        let request = request.header(AUTHORIZATION, format!("Token {}", self.config.token));
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        Err(self.answered(status, &text))
    }

    fn failed(&self, error: RequestError) -> Failed {
        match error {
            RequestError::Http { status, text } => self.answered(status, &text),
            RequestError::ReqwestProcessing { source } => self.unreachable(&source),
            other => Failed::Away(other.to_string()),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failed {
        let mut why = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            (why, cause) = (error.to_string(), error.source());
        }
        let url = &self.config.url;
        if let Some(hint) = hint(&why) {
            why = format!("{why}; {hint}");
        }
        match error.is_timeout() && !error.is_connect() {
            true => Failed::Open(format!("InfluxDB at {url} does not answer in time: {why}")),
            false => Failed::Away(format!("InfluxDB at {url} cannot be reached: {why}")),
        }
    }

    fn answered(&self, status: StatusCode, text: &str) -> Failed {
        let json = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        let message = json["message"].as_str().unwrap_or(text).trim();
        let Influx { url, org, bucket, .. } = &self.config;
        let said = format!("InfluxDB at {url} answered {status}: {}", message.chars().take(ANSWER_CHARS).collect::<String>());
        // What stands in between, or a server of something else, has other words. It says nothing of the readings.
        let is_its_own = json["code"].is_string();
        match status {
            // What stands in between gave up.
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Failed::Open(said),
            // A proxy takes smaller bodies than InfluxDB does.
            StatusCode::PAYLOAD_TOO_LARGE => Failed::Refused(said),
            _ if status.is_client_error() && !is_its_own => Failed::Away(match message.contains("HTTPS server") {
                true => format!("{said}; then [store.influxdb] url begins with https://"),
                false => format!("{said}; that is no answer of InfluxDB: check [store.influxdb] url and what stands in between"),
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failed::Denied(format!(
                "{said}; check [store.influxdb] token: it must read and write the bucket \"{bucket}\" of the organisation \"{org}\""
            )),
            StatusCode::NOT_FOUND => Failed::Denied(format!("{said}; check [store.influxdb] org = \"{org}\" and bucket = \"{bucket}\"")),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Failed::Refused(said),
            _ => Failed::Away(said),
        }
    }
}

fn authorities(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, Failed> {
    let found = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| Failed::Denied(format!("ca_file: {error}")))?;
    match found.is_empty() {
        true => Err(Failed::Denied("ca_file holds no certificate: expected lines from -----BEGIN CERTIFICATE----- on".to_owned())),
        false => Ok(found),
    }
}

/// Where the bucket begins, of an answer that refuses what is older: all that is younger it has taken. None: it refuses something else.
pub(super) fn keeps_from(why: &str) -> Option<TimeNs> {
    let (_, bound) = why.split_once("outside retention policy")?.1.split_once("Retention Policy Lower Bound at ")?;
    let time: jiff::Timestamp = bound.split([' ', ',']).next()?.parse().ok()?;
    TimeNs::try_from(time.as_nanosecond()).ok()
}

/// What to do, for what TLS says.
fn hint(why: &str) -> Option<&'static str> {
    let hints = [
        ("UnknownIssuer", "name the authority that signed its certificate in [store.influxdb] ca_file"),
        ("NotValidForName", "its certificate is for another host: [store.influxdb] url is to have a name that the certificate has"),
        ("Expired", "its certificate has expired, or the clock of this machine is wrong"),
        ("NotValidYet", "its certificate is not valid yet, or the clock of this machine is wrong"),
        ("CaUsedAsEndEntity", "its certificate is one of an authority (CA:TRUE): a server needs one of its own, signed by that"),
        ("corrupt message", "it seems not to speak TLS: then [store.influxdb] url begins with http://"),
    ];
    hints.iter().find(|(said, _)| why.contains(said)).map(|(_, hint)| *hint)
}

/// Within what InfluxDB takes.
pub(super) fn rfc3339(time: TimeNs) -> String {
    let time = time.clamp(TimeNs::MIN + 2, TimeNs::MAX - 1);
    jiff::Timestamp::from_nanosecond(i128::from(time)).map(|time| time.to_string()).expect("64 bits of nanoseconds are within the calendar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_bucket_begins_is_read_of_its_refusal() {
        let said = "failure writing points to database: partial write: dropped 3 points outside retention policy of duration 1h0m0s - oldest \
                    point m,device=d at 2026-11-30T15:33:16Z dropped because it violates a Retention Policy Lower Bound at \
                    2026-11-30T18:27:41.942619272Z, newest point m,device=d at 2026-11-30T15:33:16Z dropped because it violates a \
                    Retention Policy Lower Bound at 2026-11-30T18:27:41.942619272Z dropped=3";
        assert_eq!(keeps_from(said), Some(1_796_063_261_942_619_272));
        assert_eq!(keeps_from(&said[..200]), None, "cut off");
        assert_eq!(keeps_from("field type conflict: input field \"value\" on measurement \"m\" is type float"), None);
    }

    #[test]
    fn what_is_not_said_by_influxdb_itself_is_an_outage() {
        let config = Influx {
            url: "http://127.0.0.1:9".parse().unwrap(),
            org: "o".to_owned(),
            bucket: "b".to_owned(),
            token: "t".to_owned(),
            ca: None,
            timeout: Duration::from_secs(1),
            backlog_bytes: 1,
        };
        let client = Client::new(&config).unwrap();
        let page = "<html>nginx</html>";
        let own = |code: &str| format!("{{\"code\":\"{code}\",\"message\":\"so\"}}");
        let rows = [
            (400, own("invalid"), "refused", "400 Bad Request: so"),
            (422, own("unprocessable entity"), "refused", "so"),
            (413, page.to_owned(), "refused", "nginx"),
            (401, own("unauthorized"), "denied", "check [store.influxdb] token"),
            (403, own("forbidden"), "denied", "check [store.influxdb] token"),
            (404, own("not found"), "denied", "bucket = \"b\""),
            (400, page.to_owned(), "away", "no answer of InfluxDB: check [store.influxdb] url"),
            (400, "Client sent an HTTP request to an HTTPS server.\n".to_owned(), "away", "url begins with https://"),
            (401, page.to_owned(), "away", "no answer of InfluxDB"),
            (404, page.to_owned(), "away", "no answer of InfluxDB"),
            (429, own("too many requests"), "away", "so"),
            (429, page.to_owned(), "away", "nginx"),
            (500, own("internal error"), "away", "so"),
            (502, page.to_owned(), "open", "nginx"),
            (503, page.to_owned(), "away", "nginx"),
        ];
        for (status, text, kind, part) in rows {
            let failed = client.answered(StatusCode::from_u16(status).unwrap(), &text);
            let found = match failed {
                Failed::Away(_) => "away",
                Failed::Open(_) => "open",
                Failed::Denied(_) => "denied",
                Failed::Refused(_) => "refused",
            };
            let why = failed.why();
            assert!(found == kind && why.contains(part), "{status} {text}: {found}: {why}");
        }
    }
}
