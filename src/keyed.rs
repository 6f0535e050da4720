//! Maps whose keys somebody outside chooses: names, texts, times, numbers that a sender or a viewer makes up.
//!
//! The hash of `rustc_hash` is the same in every process, so keys can be computed that all fall on one place: a table of a hundred
//! thousand such keys takes minutes to fill. Here each table has a random key of its own. Foldhash (linked already) and not SipHash of
//! the standard library: a session hashes a name for each reading. It does not stand up to somebody who sees hashes; nobody
//! outside does, nor the order of a table. Ids and positions that the hub gives stay with `rustc_hash`.
//!
//! `tests/tidy/test_keyed.py` finds tables by names and texts that are not of this kind.

use std::collections::{HashMap, HashSet};

pub type RandomKey = foldhash::fast::RandomState;
pub type KeyedMap<K, V> = HashMap<K, V, RandomKey>;
pub type KeyedSet<K> = HashSet<K, RandomKey>;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::{BuildHasher, Hash, Hasher};

    use rustc_hash::FxBuildHasher;

    use super::*;

    thread_local!(static COMPARED: Cell<usize> = const { Cell::new(0) });

    /// A key that counts how often it is compared.
    #[derive(Eq)]
    struct Counted(u64);

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            COMPARED.set(COMPARED.get() + 1);
            self.0 == other.0
        }
    }

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u64(self.0);
        }
    }

    /// Comparisons that it takes to fill a table with keys which `rustc_hash` puts into one place.
    fn compared<S: BuildHasher + Default>(keys: &[u64]) -> usize {
        COMPARED.set(0);
        let filled: HashSet<Counted, S> = keys.iter().copied().map(Counted).collect();
        assert_eq!(filled.len(), keys.len());
        COMPARED.get()
    }

    #[test]
    fn keys_that_collide_elsewhere_do_not_here() {
        // Multiplied by this, what `rustc_hash` multiplies by is 1: any hash can be had.
        const FACTOR: u64 = 0xf135_7aea_2e62_a9c5;
        let inverse = (0..6).fold(1_u64, |x, _| x.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(x))));
        assert_eq!(inverse.wrapping_mul(FACTOR), 1);
        let keys: Vec<u64> = (0..2000_u64).map(|i| (i << 30).rotate_right(26).wrapping_mul(inverse)).collect();
        assert!(keys.iter().all(|key| FxBuildHasher.hash_one(Counted(*key)) & ((1 << 30) - 1) == 0), "the keys are badly chosen");
        assert!(compared::<FxBuildHasher>(&keys) > keys.len() * 100, "the keys are badly chosen");
        assert!(compared::<RandomKey>(&keys) < keys.len());
    }

    #[test]
    fn each_table_has_its_own_key() {
        let hashes: HashSet<u64> = (0..20).map(|_| RandomKey::default().hash_one("pump-1")).collect();
        assert_eq!(hashes.len(), 20);
    }
}
