//! Which series: `DEVICE_GLOB/METRIC_GLOB{label="value",@attribute="value"}` (contract, "Selector").
//!
//! ```ebnf
//! selector  = glob , "/" , glob , [ "{" , [ matcher , { "," , matcher } ] , "}" ] ;
//! matcher   = [ "@" ] , name , operator , '"' , text , '"' ;      (* spaces may stand between these *)
//! operator  = "=" | "!="      (* text is taken as it is *)
//!           | "=~" | "!~" ;   (* text is a glob *)
//! name      = ( letter | "_" ) , { letter | digit | "_" | "." | "-" } ;
//! glob      = { "*" | "?" | "\" , any character | any other character } ;
//! text      = { "\" , any character | any character but '"' and "\" } ;
//! ```
//!
//! Read from the left: the brace part starts at the first `{` without a backslash, and the last `/` without a backslash
//! before it divides device from metric (a device id may hold `/`, a metric name may not). `*` is any characters, also `/`;
//! `?` is one; `\` makes any character plain. All matchers must hold; what is not named does not matter; an absent label or
//! attribute is the empty text, so `{cpu=""}` means without `cpu`.
//!
//! Invariant: `Display` gives text that parses to an equal selector, and equal selectors give equal text.
//! The cases are in `tests/cases/selectors.json`, which the TypeScript and Python tests read too.

mod partial;

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

pub use self::partial::{Part, Sought};
pub use super::glob::Glob;
use super::glob::write_escaped;
use crate::limits::SELECTOR_BYTES;
use crate::model::{Labels, SeriesKey};

/// Where a device's attributes are looked up.
pub trait Attributes {
    /// The attribute's value; an absent one is the empty text.
    fn with_value(&self, device: &str, name: &str, use_value: &mut dyn FnMut(&str));

    /// A number for all attributes of a device: another one when they are others, also in a later run of the hub; 0 for none.
    fn fingerprint(&self, _device: &str) -> u64 {
        0
    }

    /// The same for every device that has any.
    fn fingerprints(&self, _each: &mut dyn FnMut(&str, u64)) {}
}

/// Names and values in the order of the names.
#[must_use]
pub fn fingerprint<'a>(device: &str, attributes: impl Iterator<Item = (&'a str, &'a str)>) -> u64 {
    let mut attributes = attributes.peekable();
    if attributes.peek().is_none() {
        return 0;
    }
    // Its key is fixed; should another release of Rust hash otherwise, cursors from before are worth nothing, and no more.
    let mut hasher = std::hash::DefaultHasher::new();
    (device, attributes.collect::<Vec<_>>()).hash(&mut hasher);
    hasher.finish()
}

/// No device has an attribute: for tests, and for keys of devices that nobody described.
impl Attributes for () {
    fn with_value(&self, _device: &str, _name: &str, use_value: &mut dyn FnMut(&str)) {
        use_value("");
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    device: Glob,
    metric: Glob,
    matchers: Box<[Matcher]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Matcher {
    of: Of,
    name: Box<str>,
    negated: bool,
    wanted: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Of {
    Label,
    Attribute,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Wanted {
    Text(Box<str>),
    Glob(Glob),
}

/// REST and live answer it as `bad_selector`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectorError {
    pub message: String,
    pub hint: Option<String>,
}

impl Selector {
    /// `*/*`: every series.
    #[must_use]
    pub fn everything() -> Self {
        Self { device: Glob::any(), metric: Glob::any(), matchers: Box::default() }
    }

    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        if text.len() > SELECTOR_BYTES {
            return Err(SelectorError::too_long(text.len()));
        }
        if text.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1 {
            return Err(SelectorError::lone_backslash(text));
        }
        let (names, braces) = split_at_brace(text);
        let Some(slash) = unescaped(names).filter(|(_, c)| *c == '/').last().map(|(i, _)| i) else {
            let mut hint = format!("{}/*", if names.is_empty() { "*" } else { names });
            hint.push_str(braces.unwrap_or(""));
            return Err(SelectorError { message: format!("selector `{text}` has no `/` between device and metric"), hint: Some(hint) });
        };
        let (device, metric) = (&names[..slash], &names[slash + 1..]);
        for (part, what) in [(device, "device"), (metric, "metric")] {
            if part.is_empty() {
                let hint = Some(if what == "device" { format!("*{text}") } else { format!("{device}/*{}", braces.unwrap_or("")) });
                return Err(SelectorError { message: format!("selector `{text}` names no {what}; `*` is any"), hint });
            }
        }
        let mut matchers = match braces {
            Some(braces) => Braces { rest: &braces[1..], whole: text }.matchers()?,
            None => Vec::new(),
        };
        // One order, so that equal meaning is equal text.
        matchers.sort_by_cached_key(Matcher::to_string);
        matchers.dedup();
        Ok(Self { device: Glob::parse(device)?, metric: Glob::parse(metric)?, matchers: matchers.into() })
    }

    #[must_use]
    pub fn matches(&self, key: &SeriesKey, attributes: &dyn Attributes) -> bool {
        self.device.matches(&key.device)
            && self.metric.matches(&key.metric)
            && self.matchers.iter().all(|m| m.holds(&key.device, &key.labels, attributes))
    }

    /// Whether some series of this device could match, by what is known of the device alone: its id and attributes.
    #[must_use]
    pub fn may_match_device(&self, device: &str, attributes: &dyn Attributes) -> bool {
        let labels = Labels::default();
        self.device.matches(device) && self.matchers.iter().filter(|m| m.of == Of::Attribute).all(|m| m.holds(device, &labels, attributes))
    }

    /// The glob that device ids are compared with.
    #[must_use]
    pub fn device(&self) -> &Glob {
        &self.device
    }

    #[must_use]
    pub fn metric(&self) -> &Glob {
        &self.metric
    }

    /// Whether an edit of attributes can change what it matches.
    #[must_use]
    pub fn uses_attributes(&self) -> bool {
        self.matchers.iter().any(|m| m.of == Of::Attribute)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.device.write(f, "{")?;
        f.write_char('/')?;
        self.metric.write(f, "{/")?;
        for (i, matcher) in self.matchers.iter().enumerate() {
            f.write_char(if i == 0 { '{' } else { ',' })?;
            matcher.fmt(f)?;
        }
        if self.matchers.is_empty() { Ok(()) } else { f.write_char('}') }
    }
}

impl Matcher {
    fn holds(&self, device: &str, labels: &Labels, attributes: &dyn Attributes) -> bool {
        match self.of {
            Of::Label => self.accepts(labels.value(&self.name)),
            Of::Attribute => {
                let mut holds = false;
                attributes.with_value(device, &self.name, &mut |value| holds = self.accepts(value));
                holds
            }
        }
    }

    fn accepts(&self, value: &str) -> bool {
        let hit = match &self.wanted {
            Wanted::Text(text) => **text == *value,
            Wanted::Glob(glob) => glob.matches(value),
        };
        hit != self.negated
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of == Of::Attribute {
            f.write_char('@')?;
        }
        f.write_str(&self.name)?;
        f.write_str(match (self.negated, &self.wanted) {
            (false, Wanted::Text(_)) => "=\"",
            (true, Wanted::Text(_)) => "!=\"",
            (false, Wanted::Glob(_)) => "=~\"",
            (true, Wanted::Glob(_)) => "!~\"",
        })?;
        match &self.wanted {
            Wanted::Text(text) => text.chars().try_for_each(|c| {
                if matches!(c, '"' | '\\') {
                    f.write_char('\\')?;
                }
                f.write_char(c)
            })?,
            Wanted::Glob(glob) => glob.write(f, "\"")?,
        }
        f.write_char('"')
    }
}

/// The characters that no backslash stands before, with their places; a backslash itself is not among them.
fn unescaped(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut escaped = false;
    text.char_indices().filter(move |(_, c)| {
        let plain = !escaped && *c != '\\';
        escaped = !escaped && *c == '\\';
        plain
    })
}

fn split_at_brace(text: &str) -> (&str, Option<&str>) {
    match unescaped(text).find(|(_, c)| *c == '{') {
        Some((i, _)) => (&text[..i], Some(&text[i..])),
        None => (text, None),
    }
}

/// Whether a label may have this name (contract, "Series, values, time").
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// What is left of the part in braces, after the `{`.
struct Braces<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl<'a> Braces<'a> {
    fn matchers(mut self) -> Result<Vec<Matcher>, SelectorError> {
        let mut matchers = Vec::new();
        if !self.take("}") {
            loop {
                matchers.push(self.matcher()?);
                if self.take("}") {
                    break;
                }
                if !self.take(",") {
                    return Err(self.expected("`,` or `}`"));
                }
            }
        }
        if !self.rest.is_empty() {
            return Err(self.expected("nothing more after `}`"));
        }
        Ok(matchers)
    }

    fn matcher(&mut self) -> Result<Matcher, SelectorError> {
        let of = if self.take("@") { Of::Attribute } else { Of::Label };
        let name = self.name(of)?;
        // The longer operators first: `=` begins `=~`.
        let operators = [("=~", false, true), ("!~", true, true), ("!=", true, false), ("=", false, false)];
        let Some((_, negated, is_glob)) = operators.into_iter().find(|(operator, ..)| self.take(operator)) else {
            return Err(self.expected("one of = != =~ !~"));
        };
        let text = self.quoted()?;
        let wanted = if is_glob { Wanted::Glob(Glob::parse(text)?) } else { Wanted::Text(plain(text).into()) };
        Ok(Matcher { of, name: name.into(), negated, wanted })
    }

    fn name(&mut self, of: Of) -> Result<&'a str, SelectorError> {
        self.rest = self.rest.trim_start_matches(' ');
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-')).unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        if !is_name(name) {
            return Err(self.expected(if of == Of::Label { "the name of a label" } else { "the name of an attribute" }));
        }
        if of == Of::Label && matches!(name, "device" | "time") {
            return Err(SelectorError {
                message: format!("selector `{}`: no label is called `{name}`", self.whole),
                hint: (name == "device").then(|| "the device is what stands before the `/`".to_owned()),
            });
        }
        self.rest = &self.rest[end..];
        Ok(name)
    }

    /// The text between quotes, escapes still in it.
    fn quoted(&mut self) -> Result<&'a str, SelectorError> {
        if !self.take("\"") {
            return Err(self.expected("a value in double quotes"));
        }
        let Some((end, _)) = unescaped(self.rest).find(|(_, c)| *c == '"') else {
            return Err(SelectorError { message: format!("selector `{}`: a value has no closing quote", self.whole), hint: None });
        };
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start_matches(' ');
        match rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expected(&self, what: &str) -> SelectorError {
        let at = self.whole[..self.whole.len() - self.rest.len()].chars().count() + 1;
        let found = if self.rest.is_empty() { "the end".to_owned() } else { format!("`{}`", self.rest) };
        SelectorError { message: format!("selector `{}`: expected {what} at character {at}, found {found}", self.whole), hint: None }
    }
}

/// Without the backslashes that make characters plain.
fn plain(text: &str) -> String {
    let mut chars = text.chars();
    std::iter::from_fn(|| match chars.next()? {
        '\\' => chars.next(),
        c => Some(c),
    })
    .collect()
}

impl SelectorError {
    pub(super) fn too_long(bytes: usize) -> Self {
        Self { message: format!("selector of {bytes} bytes is longer than {SELECTOR_BYTES}"), hint: None }
    }

    pub(super) fn lone_backslash(text: &str) -> Self {
        let mut hint = text.to_owned();
        hint.push('\\');
        Self { message: format!("`{text}` ends in a backslash that escapes nothing"), hint: Some(hint) }
    }
}

/// The text of a glob that matches exactly this: for making selectors out of names.
#[must_use]
pub fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    write_escaped(&mut out, name, "{/").expect("writing to a String does not fail");
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Cases {
        #[serde(rename = "about")]
        _about: String,
        parses: Vec<Parses>,
        refused: Vec<RefusedCase>,
        matches: Vec<Matches>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parses {
        rule: String,
        selector: String,
        canonical: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RefusedCase {
        rule: String,
        selector: String,
        hint: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Matches {
        rule: String,
        selector: String,
        #[serde(default)]
        yes: Vec<Case>,
        #[serde(default)]
        no: Vec<Case>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        device: String,
        metric: String,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        #[serde(default)]
        attributes: BTreeMap<String, String>,
    }

    impl Attributes for BTreeMap<String, String> {
        fn with_value(&self, _device: &str, name: &str, use_value: &mut dyn FnMut(&str)) {
            use_value(self.get(name).map_or("", |value| value));
        }
    }

    fn cases() -> Cases {
        serde_json::from_str(include_str!("../../tests/cases/selectors.json")).unwrap()
    }

    #[test]
    fn accepted_selectors_have_one_canonical_text() {
        for case in cases().parses {
            let selector = Selector::parse(&case.selector).unwrap_or_else(|e| panic!("{}: {} refused: {e}", case.rule, case.selector));
            assert_eq!(selector.to_string(), case.canonical, "{}", case.rule);
            assert_eq!(Selector::parse(&case.canonical).unwrap(), selector, "{}", case.rule);
        }
    }

    #[test]
    fn refused_selectors_say_why() {
        for case in cases().refused {
            let error = Selector::parse(&case.selector).expect_err(&case.rule);
            assert!(!error.message.is_empty());
            if let Some(hint) = case.hint {
                assert_eq!(error.hint.as_deref(), Some(&*hint), "{}: {error}", case.rule);
            }
        }
    }

    #[test]
    fn selectors_match_what_the_table_says() {
        for row in cases().matches {
            let selector = Selector::parse(&row.selector).unwrap();
            assert!(!row.yes.is_empty() || !row.no.is_empty(), "{}: says nothing", row.rule);
            for (expected, case) in row.yes.iter().map(|c| (true, c)).chain(row.no.iter().map(|c| (false, c))) {
                let key = SeriesKey {
                    device: case.device.as_str().into(),
                    metric: case.metric.as_str().into(),
                    labels: Labels::from_pairs(case.labels.iter().map(|(k, v)| (&**k, &**v))),
                };
                assert_eq!(selector.matches(&key, &case.attributes), expected, "{}: {} on {case:?}", row.rule, row.selector);
                if expected {
                    assert!(selector.may_match_device(&case.device, &case.attributes), "{}: {case:?}", row.rule);
                }
            }
        }
    }

    #[test]
    fn the_length_has_a_limit() {
        let text = format!("{}/*", "a".repeat(SELECTOR_BYTES - 2));
        assert!(Selector::parse(&text).is_ok());
        assert!(Selector::parse(&format!("a{text}")).unwrap_err().message.contains("4096"));
    }

    #[test]
    fn an_escaped_name_selects_itself() {
        for (device, metric) in [("a/b{c}*", "m?"), ("x\\", "{"), ("*", "*")] {
            let selector = Selector::parse(&format!("{}/{}", escape(device), escape(metric))).unwrap();
            assert_eq!((selector.device().as_literal(), selector.metric().as_literal()), (Some(device), Some(metric)));
        }
    }

    /// Any text parses or is refused, and what parses can be written and read again.
    #[test]
    fn nonsense_does_not_panic() {
        let seed = 11;
        let mut rng = fastrand::Rng::with_seed(seed);
        let alphabet = ["a", "/", "{", "}", "\"", "\\", "*", "?", "=", "!", "~", ",", "@", " ", "é", "x=\"", "\"}"];
        let mut parsed = 0;
        for _ in 0..100_000 {
            let text: String = (0..rng.usize(0..12)).map(|_| *rng.choice(&alphabet).unwrap()).collect();
            if let Ok(selector) = Selector::parse(&text) {
                parsed += 1;
                assert_eq!(Selector::parse(&selector.to_string()).as_ref(), Ok(&selector), "seed {seed}: {text:?}");
            }
        }
        assert!(parsed > 1_000, "{parsed}");
    }
}
