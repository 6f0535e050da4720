//! The part of a selector that is being typed: where the caret is, what is typed of it, and what the rest already says. By the same
//! rules and escapes as [`Selector::parse`].
//!
//! The text ends at the caret. A `/` without a backslash may divide device from metric or belong to the device's id, so both are sought then.
//! A backslash at the end escapes a character that is not typed yet: it is typed, and means nothing.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Braces, Glob, Of, Selector, SelectorError, plain, split_at_brace, unescaped, write_escaped};
use crate::limits::SELECTOR_BYTES;
use crate::model::SeriesKey;

/// What may stand at the caret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Device,
    Metric,
    Label,
    LabelValue,
    Attribute,
    AttributeValue,
}

impl Part {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Metric => "metric",
            Self::Label => "label",
            Self::LabelValue => "label_value",
            Self::Attribute => "attribute",
            Self::AttributeValue => "attribute_value",
        }
    }

    /// What follows it in a selector.
    #[must_use]
    pub fn then(self) -> &'static str {
        match self {
            Self::Device => "/",
            Self::Metric => "",
            Self::Label | Self::Attribute => "=\"",
            Self::LabelValue | Self::AttributeValue => "\"",
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Text,
    Glob,
}

/// One thing that may stand at the caret.
#[derive(Clone, Debug)]
pub struct Sought<'a> {
    pub part: Part,
    /// What is typed of it: the end of the text, which a candidate replaces.
    pub typed: &'a str,
    /// Of series that this matches. What stands behind the caret is not regarded.
    pub among: Selector,
    begins: Glob,
    /// Whose values are sought.
    name: &'a str,
    value: Value,
    /// Its opening quote is not typed yet.
    needs_quote: bool,
}

impl<'a> Sought<'a> {
    /// What may be completed at the end of `text`; nothing where that is a comma, a brace or an operator. Err: no selector begins so.
    pub fn parse(text: &'a str) -> Result<Vec<Self>, SelectorError> {
        if text.len() > SELECTOR_BYTES {
            return Err(SelectorError::too_long(text.len()));
        }
        let (names, braces) = split_at_brace(text);
        match braces {
            None => Self::names(names),
            Some(braces) => {
                // Whatever is wrong before the brace is wrong in the whole selector, too.
                let Selector { device, metric, .. } = Selector::parse(names)?;
                Self::braces(text, &braces[1..], device, metric)
            }
        }
    }

    fn new(part: Part, typed: &'a str, begins: Glob, among: Selector) -> Self {
        Self { part, typed, among, begins, name: "", value: Value::Text, needs_quote: false }
    }

    fn names(names: &'a str) -> Result<Vec<Self>, SelectorError> {
        let mut found = vec![Self::new(Part::Device, names, Glob::parse_beginning(names)?, Selector::everything())];
        if let Some((slash, _)) = unescaped(names).filter(|(i, c)| *c == '/' && *i > 0).last() {
            let (device, metric) = (Glob::parse(&names[..slash])?, &names[slash + 1..]);
            let among = Selector { device, ..Selector::everything() };
            found.insert(0, Self::new(Part::Metric, metric, Glob::parse_beginning(metric)?, among));
        }
        Ok(found)
    }

    fn braces(whole: &'a str, rest: &'a str, device: Glob, metric: Glob) -> Result<Vec<Self>, SelectorError> {
        let mut braces = Braces { rest, whole };
        let mut matchers = Vec::new();
        if braces.take("}") {
            return Selector::parse(whole).map(|_| Vec::new());
        }
        loop {
            let start = braces.rest;
            match braces.matcher() {
                Ok(matcher) => matchers.push(matcher),
                Err(error) => {
                    let among = Selector { device, metric, matchers: matchers.into() };
                    return unfinished(start, whole, &among)?.ok_or(error);
                }
            }
            let is_next = braces.take(",");
            if !is_next && (braces.take("}") || !braces.rest.trim_start_matches(' ').is_empty()) {
                // The whole ends here, or is wrong here: the parser says which.
                return Selector::parse(whole).map(|_| Vec::new());
            }
            if !is_next {
                return Ok(Vec::new());
            }
        }
    }

    /// Gives what may be put there that a series has, in a series' own words.
    pub fn tokens(&self, key: &SeriesKey, attributes: &BTreeMap<String, String>, each: &mut dyn FnMut(&str)) {
        let mut give = |token: &str| {
            if self.begins.matches(token) {
                each(token);
            }
        };
        match self.part {
            Part::Device => give(&key.device),
            Part::Metric => give(&key.metric),
            Part::Label => key.labels.iter().for_each(|(name, _)| give(name)),
            Part::Attribute => attributes.keys().for_each(|name| give(name)),
            Part::LabelValue => Some(key.labels.value(self.name)).filter(|value| !value.is_empty()).into_iter().for_each(give),
            Part::AttributeValue => attributes.get(self.name).into_iter().for_each(|value| give(value)),
        }
    }

    /// A token as it is written in place of what is typed.
    #[must_use]
    pub fn written(&self, token: &str) -> String {
        let mut out = String::with_capacity(token.len() + 1);
        if self.needs_quote {
            out.push('"');
        }
        let done = match (self.part, self.value) {
            (Part::Device, _) => write_escaped(&mut out, token, "{"),
            (Part::Metric, _) => write_escaped(&mut out, token, "{/"),
            (Part::Label, _) => out.write_str(token),
            (Part::Attribute, _) => write!(out, "@{token}"),
            (_, Value::Glob) => write_escaped(&mut out, token, "\""),
            (_, Value::Text) => token.chars().try_for_each(|c| {
                if matches!(c, '"' | '\\') {
                    out.write_char('\\')?;
                }
                out.write_char(c)
            }),
        };
        done.expect("writing to a String does not fail");
        out
    }

    /// Whether attributes of devices are looked at.
    #[must_use]
    pub fn needs_attributes(&self) -> bool {
        matches!(self.part, Part::Attribute | Part::AttributeValue)
    }
}

/// What is sought in a matcher that ends too early. None: it is wrong, not unfinished.
fn unfinished<'a>(start: &'a str, whole: &'a str, among: &Selector) -> Result<Option<Vec<Sought<'a>>>, SelectorError> {
    let mut braces = Braces { rest: start.trim_start_matches(' '), whole };
    let typed = braces.rest;
    let of = if braces.take("@") { Of::Attribute } else { Of::Label };
    if braces.rest.trim_start_matches(' ').bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        return Ok(Some(names_that_begin(typed, braces.rest.trim_start_matches(' '), of, among)));
    }
    let Ok(name) = braces.name(of) else { return Ok(None) };
    let operators = [("=~", Value::Glob), ("!~", Value::Glob), ("!=", Value::Text), ("=", Value::Text)];
    let Some((_, value)) = operators.into_iter().find(|(operator, _)| braces.take(operator)) else {
        let is_unfinished = matches!(braces.rest.trim_start_matches(' '), "" | "!");
        return Ok(is_unfinished.then(Vec::new));
    };
    let has_quote = braces.take("\"");
    let typed = if has_quote { braces.rest } else { "" };
    if !has_quote && !braces.rest.trim_start_matches(' ').is_empty() {
        return Ok(None);
    }
    let begins = match value {
        Value::Glob => Glob::parse_beginning(typed)?,
        Value::Text => Glob::prefix(&plain(typed)),
    };
    let part = if of == Of::Label { Part::LabelValue } else { Part::AttributeValue };
    let sought = Sought { name, value, needs_quote: !has_quote, ..Sought::new(part, typed, begins, among.clone()) };
    Ok(Some(vec![sought]))
}

/// Names of labels, of attributes after an `@`, and of both where nothing is typed.
fn names_that_begin<'a>(typed: &'a str, name: &str, of: Of, among: &Selector) -> Vec<Sought<'a>> {
    let sought = |part| Sought::new(part, typed, Glob::prefix(name), among.clone());
    match of {
        Of::Attribute => vec![sought(Part::Attribute)],
        Of::Label if typed.is_empty() => vec![sought(Part::Label), sought(Part::Attribute)],
        Of::Label => vec![sought(Part::Label)],
    }
}

#[cfg(test)]
#[path = "partial_tests.rs"]
mod tests;
