//! A Telegraf metric `{name, time, tags, fields}`: one reading a field.

use telltale_wire::RowCode;

use super::Names;
use super::msgpack::Token;
use super::reading::{Entries, Key, Parts, Shape, time, utf8, value};
use crate::ingest::Refusal;
use crate::ingest::session::{Deciding, Meta, Session};
use crate::ingest::shared::{Shared, WouldBe};

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
    let (mut shared, mut would_be) = (None, None);
    for (field, given) in fields {
        let decided = whole.as_ref().map_err(Clone::clone).and_then(|(name, when, tags)| {
            let Token::Text(field) = field else {
                return Err(Refusal::new(RowCode::BadMetric, format!("a field name is {}, expected text", field.name())));
            };
            let value = session.keeps(value(Some(given), &forms)?)?;
            let met = names.series(session, field, |session, raw| {
                let field = utf8(field, "the field name", RowCode::BadMetric)?;
                match shared.get_or_insert_with(|| share(session, name, *tags)) {
                    Ok(shared) => shared.meet(session, raw, field),
                    Err(refusal) => Err(refusal.clone()),
                }
            })?;
            session.take(batch, index, met, *when, value, Meta::default())
        });
        if let Err(refusal) = decided {
            let would_be = would_be.get_or_insert_with(|| {
                let tags = Entries::of(parts, Key::Tags, RowCode::BadLabel).and_then(|tags| texts(session, tags)).unwrap_or_default();
                WouldBe::of(session, parts.raw(Key::Name), &tags)
            });
            let (device, metric) = would_be.of_field(if let Token::Text(field) = field { field } else { &[] });
            batch.refuse(index, device.as_bytes(), Some(metric.as_bytes()), refusal);
        }
    }
}

fn share(session: &Session, name: &[u8], tags: Entries<'_>) -> Result<Shared, Refusal> {
    let name = utf8(name, "the name", RowCode::BadMetric)?;
    Shared::of(session, name, &texts(session, tags)?)
}

fn texts<'a>(session: &Session, tags: Entries<'a>) -> Result<Vec<(&'a str, &'a str)>, Refusal> {
    let mut forms = session.door().forms;
    // The tags that name device and gateway are no labels.
    forms.labels += 2;
    tags.texts(&forms)
}
