//! Completion of a selector at the caret: the tokens that stand there in series, sorted, counted, the first few.
//!
//! Invariant: what is kept is bounded by the number of candidates, whatever the number of series; what is kept is exact.

use std::collections::BTreeMap;

/// The first tokens of many, in order, each with how often it came.
#[derive(Debug)]
pub struct Tokens {
    most: usize,
    counts: BTreeMap<Box<str>, u64>,
    /// The same token often comes again at once: series of a device lie together.
    run: (String, u64),
    /// Others came that are behind the last.
    more: bool,
}

impl Tokens {
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, counts: BTreeMap::new(), run: (String::new(), 0), more: false }
    }

    pub fn add(&mut self, token: &str) {
        if self.run.1 > 0 && self.run.0 == token {
            self.run.1 += 1;
            return;
        }
        self.settle();
        token.clone_into(&mut self.run.0);
        self.run.1 = 1;
    }

    /// A token that is left out once lies behind so many others, and never comes back: so every count that is left is whole.
    fn settle(&mut self) {
        let (token, count) = (&*self.run.0, std::mem::take(&mut self.run.1));
        if count > 0 {
            Self::put(&mut self.counts, &mut self.more, self.most, token, count);
        }
    }

    /// One that nothing has.
    pub fn mention(&mut self, token: &str) {
        self.settle();
        Self::put(&mut self.counts, &mut self.more, self.most, token, 0);
    }

    fn put(counts: &mut BTreeMap<Box<str>, u64>, more: &mut bool, most: usize, token: &str, count: u64) {
        if let Some(known) = counts.get_mut(token) {
            *known += count;
            return;
        }
        if counts.len() < most {
            counts.insert(token.into(), count);
            return;
        }
        *more = true;
        if counts.last_key_value().is_some_and(|(last, _)| token < &**last) {
            counts.pop_last();
            counts.insert(token.into(), count);
        }
    }

    /// In order, and whether there were more.
    #[must_use]
    pub fn finish(mut self) -> (Vec<(Box<str>, u64)>, bool) {
        self.settle();
        (self.counts.into_iter().collect(), self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tokens_are_kept_with_whole_counts() {
        let mut rng = fastrand::Rng::with_seed(6);
        for most in [1, 3, 10, 100] {
            let given: Vec<String> = (0..2000).map(|_| format!("t{}", rng.u8(0..40))).collect();
            let (mut tokens, mut all) = (Tokens::new(most), BTreeMap::new());
            for token in &given {
                tokens.add(token);
                *all.entry(token.as_str()).or_insert(0_u64) += 1;
            }
            let (found, more) = tokens.finish();
            let expected: Vec<_> = all.iter().take(most).map(|(token, count)| (Box::from(*token), *count)).collect();
            assert_eq!((found, more), (expected, all.len() > most), "{most}");
        }
        assert_eq!(Tokens::new(5).finish(), (Vec::new(), false));
        let mut tokens = Tokens::new(2);
        tokens.add("b");
        ["c", "a", "b"].into_iter().for_each(|token| tokens.mention(token));
        assert_eq!(tokens.finish(), (vec![("a".into(), 0), ("b".into(), 1)], true));
    }
}
