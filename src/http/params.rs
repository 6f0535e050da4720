//! Parameters of a query string: known ones, once each unless a list is meant; and pages.

use std::fmt::{self, Formatter};
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::form_urlencoded;

use super::error::ApiError;
use crate::limits::{PAGE_ROWS, PAGE_ROWS_MAX};
use crate::query::request::unknown_parameter;

/// Name and value, decoded. Every name is a known one.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, ApiError> {
        let pairs = form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect::<Vec<_>>();
        match pairs.iter().find(|(name, _)| !known.contains(&&**name)) {
            Some((name, _)) => Err(unknown_parameter(name, known).into()),
            None => Ok(Self(pairs)),
        }
    }

    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| &**value).collect()
    }

    pub fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match *self.all(name) {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(ApiError::parameter(format!("{name} is given more than once"))),
        }
    }

    /// A whole number within a range.
    pub fn whole(&self, name: &str, range: RangeInclusive<usize>) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        number.map(Some).ok_or_else(|| ApiError::parameter(format!("{name}={text}: expected a whole number from {least} to {most}")))
    }
}

/// A JSON body that is an object. By itself serde takes an array for a struct too, by the order of its fields.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(body: D) -> Result<Self, D::Error> {
        body.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}

/// For a resource without parameters: one that is given all the same is refused, as anywhere.
#[derive(Clone, Copy, Debug)]
pub struct NoParams;

impl FromRequest for NoParams {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Params::read(request, &[]).map(|_| Self))
    }
}

/// How many rows of a list to show.
#[derive(Clone, Copy, Debug)]
pub struct Page(usize);

impl Page {
    pub fn read(params: &Params) -> Result<Self, ApiError> {
        Self::read_within(params, PAGE_ROWS, PAGE_ROWS_MAX)
    }

    /// For a list whose rows cost more.
    pub fn read_within(params: &Params, rows: usize, most: usize) -> Result<Self, ApiError> {
        Ok(Self(params.whole("limit", 1..=most)?.unwrap_or(rows)))
    }

    #[must_use]
    pub fn rows(self) -> usize {
        self.0
    }

    /// The rows of the page, and its last one where more follow.
    #[must_use]
    pub fn cut<T>(self, rows: &[T]) -> (&[T], Option<&T>) {
        match rows.split_at_checked(self.0) {
            Some((shown, rest)) if !rest.is_empty() => (shown, shown.last()),
            _ => (rows, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_names_each_field_once() {
        #[derive(Debug, Deserialize)]
        struct One {
            a: Option<u32>,
        }
        let read = |text: &str| serde_json::from_str::<Object<One>>(text).map(|one| one.0.a).map_err(|error| error.to_string());
        assert_eq!(read(r#"{"a":1}"#), Ok(Some(1)));
        assert!(read(r#"{"a":1,"a":2}"#).unwrap_err().contains("duplicate field `a`"));
        assert!(read("[1]").unwrap_err().contains("expected a map"));
    }

    #[test]
    fn a_page_tells_where_the_next_begins() {
        let rows = [1, 2, 3];
        assert_eq!(Page(2).cut(&rows), (&rows[..2], Some(&2)));
        assert_eq!(Page(3).cut(&rows), (&rows[..], None));
        assert_eq!(Page(4).cut(&rows), (&rows[..], None));
        assert_eq!(Page(1).cut::<i32>(&[]), (&[][..], None));
    }
}
