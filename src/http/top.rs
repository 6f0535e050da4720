//! `GET series/top`: who makes the most series, and whose grow fastest. For when a limit was reached.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Admin;
use super::error::{ApiError, ErrorBody};
use super::openapi::forms::ByName;
use super::params::{Page, Params};
use crate::auth::Auth;
use crate::catalog::CatalogError;
use crate::hub::Hub;
use crate::model::TimeNs;
use crate::query::time::parse_duration;
use crate::series::{Series, SeriesTable};

/// Groups of series, those with most new ones first.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopBody {
    #[schema(value_type = ByName)]
    by: &'static str,
    pub groups: Vec<TopRow>,
}

#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct TopRow {
    /// The token's name, the device, the metric, or the label's name.
    pub name: String,
    pub series: u64,
    /// Of these, how many are newer than `since`.
    pub new: u64,
    /// By label: how many different values it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Token,
    Device,
    Metric,
    Label,
}

impl By {
    fn parse(text: &str) -> Option<Self> {
        [Self::Token, Self::Device, Self::Metric, Self::Label].into_iter().find(|by| by.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Device => "device",
            Self::Metric => "metric",
            Self::Label => "label",
        }
    }
}

/// Who makes most series, and whose grow fastest.
#[utoipa::path(get, path = "/api/v1/series/top", tag = "operation",
    params(
        ("by" = Option<ByName>, Query, description = "Default: `token`."),
        ("since" = Option<String>, Query, description = "Series made within this time are new. Default `1h`."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10000, description = "Rows: 1 to 10000, default 1000.")),
    responses((status = 200, body = TopBody), (status = 400, body = ErrorBody, description = "`bad_parameter`.")))]
pub async fn top(hub: web::Data<Hub>, _: Admin, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(&request, &["by", "since", "limit"])?;
    let (by, since) = (params.one("by")?.unwrap_or("token").to_owned(), params.one("since")?.unwrap_or("1h").to_owned());
    let page = Page::read(&params)?;
    let TopBody { by, groups } = web::block(move || ask(&hub, &by, &since)).await??;
    let (shown, _more) = page.cut(&groups);
    Ok(HttpResponse::Ok().json(serde_json::json!({ "by": by, "groups": shown })))
}

/// Also for the command when no hub runs. All groups.
pub fn ask(hub: &Hub, by: &str, since: &str) -> Result<TopBody, ApiError> {
    let by = By::parse(by).ok_or_else(|| ApiError::parameter(format!("by={by}: expected token, device, metric or label")))?;
    let since = hub.clock.now().saturating_sub(parse_duration("since", since)?);
    Ok(TopBody { by: by.as_str(), groups: groups(&hub.series, &hub.auth, by, since)? })
}

fn groups(series: &SeriesTable, auth: &Auth, by: By, since: TimeNs) -> Result<Vec<TopRow>, CatalogError> {
    let tokens: BTreeMap<_, _> = auth.tokens()?.into_iter().map(|token| (token.id, token.spec.name)).collect();
    let mut groups: BTreeMap<String, TopRow> = BTreeMap::new();
    let mut values: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    let mut count = |name: &str, one: &Series| {
        let row = groups.entry(name.to_owned()).or_insert_with(|| TopRow { name: name.to_owned(), series: 0, new: 0, values: None });
        row.series += 1;
        row.new += u64::from(one.created().is_some_and(|created| created >= since));
    };
    series.each_listed(|one| match by {
        By::Token => {
            let id = one.owner.0;
            let name = match tokens.get(&one.owner) {
                Some(name) => format!("{name} (token {id})"),
                // What a command on the hub's own machine brings is no token's.
                None if id == 0 => "import".to_owned(),
                None => format!("token {id}, revoked"),
            };
            count(&name, one);
        }
        By::Device => count(&one.key.device, one),
        By::Metric => count(&one.key.metric, one),
        By::Label => {
            for (label, value) in one.key.labels.iter() {
                count(label, one);
                values.entry(label.to_owned()).or_default().insert(value.to_owned());
            }
        }
    });
    for (name, values) in values {
        if let Some(row) = groups.get_mut(&name) {
            row.values = Some(values.len() as u64);
        }
    }
    let mut rows: Vec<_> = groups.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.new, row.values, row.series)));
    Ok(rows)
}
