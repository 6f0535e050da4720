//! What `[store] kind = "influxdb"` needs, and what it does not go with.

use std::fs;
use std::time::Duration;

use super::error::{ConfigError, Place};
use super::keys::InfluxDraft;
use super::{Config, Influx};

const TIMEOUT: Duration = Duration::from_secs(30);

/// `kind`: where the store was chosen.
pub(super) fn of(draft: InfluxDraft, config: &Config, kind: &Place) -> Result<Influx, ConfigError> {
    let conflict = |message: String| ConfigError::Conflict { place: kind.clone(), message };
    let missing = |key: &str| conflict(format!("[store] kind = \"influxdb\" needs [store.influxdb] {key}"));
    if config.store.max_bytes > 0 {
        return Err(conflict(
            "[store] max_bytes is for the embedded store: the retention of the bucket says what InfluxDB keeps".to_owned(),
        ));
    }
    if !config.retention.is_empty() {
        return Err(conflict("[[retention]] is for the embedded store: the retention of the bucket says what InfluxDB keeps".to_owned()));
    }
    let token = match (draft.token, draft.token_file) {
        (Some(token), None) => token,
        (None, Some(path)) => {
            let text = fs::read_to_string(&path);
            let text = text.map_err(|error| conflict(format!("[store.influxdb] token_file = {path:?} cannot be read: {error}")))?;
            let token = text.trim().to_owned();
            if token.is_empty() {
                return Err(conflict(format!("[store.influxdb] token_file = {path:?} is empty: expected the token")));
            }
            token
        }
        (Some(_), Some(_)) => return Err(conflict("[store.influxdb] has token and token_file: expected one of them".to_owned())),
        (None, None) => return Err(missing("token or token_file")),
    };
    // The token itself is not shown.
    if let Some(at) = token.find(|c: char| !matches!(c, ' '..='~')) {
        return Err(conflict(format!("[store.influxdb] token: character {} is a control character or beyond ASCII", at + 1)));
    }
    let ca = draft
        .ca_file
        .map(|path| fs::read(&path).map_err(|error| conflict(format!("[store.influxdb] ca_file = {path:?} cannot be read: {error}"))));
    let ca = ca.transpose()?;
    Ok(Influx {
        url: draft.url.ok_or_else(|| missing("url"))?,
        org: draft.org.ok_or_else(|| missing("org"))?,
        bucket: draft.bucket.ok_or_else(|| missing("bucket"))?,
        token,
        ca,
        timeout: draft.timeout.unwrap_or(TIMEOUT),
        backlog_bytes: config.log.backlog_bytes,
    })
}
