//! A Telegraf metric `{name, time, tags, fields}`: one reading a field.

use telltale_wire::RowCode;

use super::Names;
use super::msgpack::Token;
use super::reading::{Entries, Key, Parts, Shape, time, utf8, value};
use crate::ingest::Refusal;
use crate::ingest::mapping::{map_tags, metric_name};
use crate::ingest::session::{self, Deciding, Meta, Session};
use crate::series::KeyRef;

pub(super) fn metric(session: &mut Session, names: &mut Names, batch: &mut Deciding, index: u32, parts: &Parts<'_>) {
    let forms = session.door().forms;
    let whole = parts.only(Shape::Telegraf).and_then(|()| {
        let name = match parts.field(Key::Name).map(|field| field.token) {
            Some(Token::Text(name)) => name,
            Some(other) => return Err(Refusal::new(RowCode::BadMetric, format!("`name` is {}, expected text", other.name()))),
            None => return Err(Refusal::new(RowCode::BadMetric, "`name` is missing")),
        };
        let when = time(session, parts)?;
        let tags = Entries::of(parts, Key::Tags, RowCode::BadLabel)?;
        Ok((name, when, tags))
    });
    let fields = match Entries::of(parts, Key::Fields, RowCode::BadValue) {
        Ok(fields) if parts.field(Key::Fields).is_some() => fields,
        not_a_map => {
            let missing = || Refusal::new(RowCode::BadValue, "`fields` is missing");
            batch.refuse(index, &[], Some(parts.raw(Key::Name)), whole.err().or(not_a_map.err()).unwrap_or_else(missing));
            return;
        }
    };
    if let Ok((name, _, tags)) = &whole {
        names.begin(b't', name, *tags);
    }
    for (field, given) in fields {
        let decided = whole.as_ref().map_err(Clone::clone).and_then(|(name, when, tags)| {
            let Token::Text(field) = field else {
                return Err(Refusal::new(RowCode::BadMetric, format!("a field name is {}, expected text", field.name())));
            };
            let value = value(Some(given), &forms)?;
            let met = names.series(session, field, |session, raw| meet(session, raw, name, field, *tags))?;
            session.take(batch, index, met, *when, value, Meta::default())
        });
        if let Err(refusal) = decided {
            let (device, metric) = would_be(session, parts, field);
            batch.refuse(index, device.as_bytes(), Some(metric.as_bytes()), refusal);
        }
    }
}

fn meet(session: &mut Session, raw: &[u8], name: &[u8], field: &[u8], tags: Entries<'_>) -> Result<session::Known, Refusal> {
    let name = utf8(name, "the name", RowCode::BadMetric)?;
    let field = utf8(field, "the field name", RowCode::BadMetric)?;
    let mut forms = session.door().forms;
    // The tags that name device and gateway are no labels.
    forms.labels += 2;
    let tags = tags.texts(&forms)?;
    let access = session.access().clone();
    let only = access.scope().devices.as_ref().and_then(|devices| devices.as_literal());
    let door = std::sync::Arc::clone(session.door());
    let mapped = map_tags(&door.mappings, name, &tags, only)?;
    let labels: Vec<(&str, &str)> = mapped.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    let metric = metric_name(name, field);
    session.meet(raw, KeyRef { device: &mapped.device, metric: &metric, labels: &labels }, mapped.gateway.as_deref())
}

/// What a refused field would have been called, as far as it can be told.
fn would_be(session: &Session, parts: &Parts<'_>, field: Token<'_>) -> (String, String) {
    let lossy = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let name = lossy(parts.raw(Key::Name));
    let field = if let Token::Text(field) = field { lossy(field) } else { String::new() };
    let tags = Entries::of(parts, Key::Tags, RowCode::BadLabel).and_then(|tags| tags.texts(&session.door().forms)).unwrap_or_default();
    let device = map_tags(&session.door().mappings, &name, &tags, None).map(|mapped| mapped.device.into_owned());
    (device.unwrap_or_default(), metric_name(&name, &field))
}
