//! Globs: `*` any characters (also `/`), `?` one character, `\` takes the meaning from the character after it.
//!
//! Invariants: two globs that read the same are equal, since runs of wildcards are put in one order (`*?*` is `?*`).
//! Matching never goes back over a `*`: pieces between stars are found leftmost first, so the worst case is
//! text times pattern, and a piece without `?` is found in linear time.

use std::fmt::{self, Write};

use super::selector::SelectorError;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(Form);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Form {
    /// No wildcard at all.
    Literal(Box<str>),
    /// Literal text, then `*`. A lone `*` is the empty prefix.
    Prefix(Box<str>),
    /// `?` but no `*`.
    Fixed(Piece),
    /// `first*middle*…*last`.
    Stars { first: Piece, middle: Box<[Piece]>, last: Piece },
}

/// What stands between two stars. None is `?`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Piece {
    Text(Box<str>),
    Holes(Box<[Option<char>]>),
}

#[derive(Clone, Copy)]
enum Token {
    Char(char),
    One,
    Many,
}

impl Glob {
    /// `*`: matches everything.
    #[must_use]
    pub fn any() -> Self {
        Self(Form::Prefix("".into()))
    }

    /// Matches this text alone.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self(Form::Literal(text.into()))
    }

    /// Matches what begins with this text.
    #[must_use]
    pub fn prefix(text: &str) -> Self {
        Self(Form::Prefix(text.into()))
    }

    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        if text.len() > crate::limits::SELECTOR_BYTES {
            return Err(SelectorError::too_long(text.len()));
        }
        Ok(Self::of(&tokenise(text)?))
    }

    /// What begins as this text says, which may end in a backslash that escapes nothing yet.
    pub(super) fn parse_beginning(text: &str) -> Result<Self, SelectorError> {
        let backslashes = text.bytes().rev().take_while(|b| *b == b'\\').count();
        let mut tokens = tokenise(&text[..text.len() - backslashes % 2])?;
        tokens.push(Token::Many);
        Ok(Self::of(&tokens))
    }

    fn of(tokens: &[Token]) -> Self {
        let mut pieces = vec![Vec::new()];
        for token in in_one_order(tokens) {
            let piece = pieces.last_mut().expect("never empty");
            match token {
                Token::Char(c) => piece.push(Some(c)),
                Token::One => piece.push(None),
                Token::Many => pieces.push(Vec::new()),
            }
        }
        Self(Form::from_pieces(pieces.into_iter().map(Piece::new).collect()))
    }

    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Form::Literal(literal) => **literal == *text,
            Form::Prefix(prefix) => text.starts_with(&**prefix),
            Form::Fixed(piece) => piece.strip_from_start(text) == Some(""),
            Form::Stars { first, middle, last } => {
                let inner = first.strip_from_start(text).and_then(|rest| last.strip_from_end(rest));
                inner.is_some_and(|inner| middle.iter().try_fold(inner, |rest, piece| piece.find(rest)).is_some())
            }
        }
    }

    /// The one text it matches, if it has no wildcard: a look-up instead of a search.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match &self.0 {
            Form::Literal(text) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn is_any(&self) -> bool {
        matches!(&self.0, Form::Prefix(prefix) if prefix.is_empty())
    }

    /// The glob as text, with a backslash also before the characters of `also`.
    pub(super) fn write(&self, out: &mut impl Write, also: &str) -> fmt::Result {
        match &self.0 {
            Form::Literal(text) => write_escaped(out, text, also),
            Form::Prefix(text) => {
                write_escaped(out, text, also)?;
                out.write_char('*')
            }
            Form::Fixed(piece) => piece.write(out, also),
            Form::Stars { first, middle, last } => {
                first.write(out, also)?;
                for piece in middle.iter().chain([last]) {
                    out.write_char('*')?;
                    piece.write(out, also)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

impl Form {
    fn from_pieces(mut pieces: Vec<Piece>) -> Self {
        let last = pieces.pop().expect("never empty");
        if pieces.is_empty() {
            return match last {
                Piece::Text(text) => Self::Literal(text),
                Piece::Holes(_) => Self::Fixed(last),
            };
        }
        let first = pieces.remove(0);
        match first {
            Piece::Text(text) if pieces.is_empty() && last.is_empty() => Self::Prefix(text),
            first => Self::Stars { first, middle: pieces.into(), last },
        }
    }
}

impl Piece {
    fn new(chars: Vec<Option<char>>) -> Self {
        match chars.iter().copied().collect::<Option<String>>() {
            Some(text) => Self::Text(text.into()),
            None => Self::Holes(chars.into()),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    fn strip_from_start<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(piece) => text.strip_prefix(&**piece),
            Self::Holes(holes) => {
                let mut chars = text.chars();
                let fits = |hole: &Option<char>| chars.next().is_some_and(|c| hole.is_none_or(|h| h == c));
                holes.iter().all(fits).then_some(chars.as_str())
            }
        }
    }

    fn strip_from_end<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(piece) => text.strip_suffix(&**piece),
            Self::Holes(holes) => {
                let mut chars = text.chars();
                let fits = |hole: &Option<char>| chars.next_back().is_some_and(|c| hole.is_none_or(|h| h == c));
                holes.iter().rev().all(fits).then_some(chars.as_str())
            }
        }
    }

    /// What follows the leftmost place where the piece stands.
    fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(piece) => text.split_once(&**piece).map(|(_, rest)| rest),
            Self::Holes(_) => text.char_indices().find_map(|(i, _)| self.strip_from_start(&text[i..])),
        }
    }

    fn write(&self, out: &mut impl Write, also: &str) -> fmt::Result {
        match self {
            Self::Text(text) => write_escaped(out, text, also),
            Self::Holes(holes) => holes.iter().try_for_each(|hole| match hole {
                Some(c) => write_escaped(out, c.encode_utf8(&mut [0; 4]), also),
                None => out.write_char('?'),
            }),
        }
    }
}

fn tokenise(text: &str) -> Result<Vec<Token>, SelectorError> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '\\' => Token::Char(chars.next().ok_or_else(|| SelectorError::lone_backslash(text))?),
            '*' => Token::Many,
            '?' => Token::One,
            c => Token::Char(c),
        });
    }
    Ok(tokens)
}

/// A run of wildcards means "at least so many characters", or exactly so many: every `?` first, then one `*` if there was any.
fn in_one_order(tokens: &[Token]) -> Vec<Token> {
    let mut ordered = Vec::with_capacity(tokens.len());
    let mut many = false;
    for token in tokens {
        match token {
            Token::Many => many = true,
            Token::One => ordered.push(Token::One),
            Token::Char(_) => {
                if std::mem::take(&mut many) {
                    ordered.push(Token::Many);
                }
                ordered.push(*token);
            }
        }
    }
    if many {
        ordered.push(Token::Many);
    }
    ordered
}

pub(super) fn write_escaped(out: &mut impl Write, text: &str, also: &str) -> fmt::Result {
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '?') || also.contains(c) {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, as plain as can be and exponential: the oracle.
    fn by_definition(glob: &[char], text: &[char]) -> bool {
        match glob {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|i| by_definition(rest, &text[i..])),
            ['?', rest @ ..] => !text.is_empty() && by_definition(rest, &text[1..]),
            ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && by_definition(rest, &text[1..]),
        }
    }

    #[test]
    fn agrees_with_the_definition() {
        let (mut hits, seed) = (0, 7);
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..60_000 {
            let glob: String = (0..rng.usize(0..8)).map(|_| *rng.choice(&["a", "b", "*", "?", "\\*", "\\?", "é"]).unwrap()).collect();
            let text: String = (0..rng.usize(0..8)).map(|_| *rng.choice(&['a', 'b', '*', '?', 'é']).unwrap()).collect();
            let expected = by_definition(&glob.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
            let parsed = Glob::parse(&glob).unwrap();
            assert_eq!(parsed.matches(&text), expected, "seed {seed}: {glob:?} on {text:?}");
            assert_eq!(Glob::parse(&parsed.to_string()).unwrap(), parsed, "seed {seed}: {glob:?} written as {parsed}");
            hits += usize::from(expected);
        }
        assert!(hits > 3_000, "the cases must hit: {hits}");
    }

    /// The oracle above would need longer than the universe: each star doubles its ways.
    #[test]
    fn many_stars_do_not_blow_up() {
        let glob = Glob::parse(&"a*".repeat(60)).unwrap();
        assert!(glob.matches(&"a".repeat(60)));
        assert!(!glob.matches(&format!("{}b", "a".repeat(59))));
        let holes = Glob::parse(&format!("*{}b", "?a*".repeat(60))).unwrap();
        assert!(!holes.matches(&"a".repeat(1000)));
    }
}
