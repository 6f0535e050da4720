//! Where the readings of each series go. Most series are watched by nobody: four bytes each.

use super::GroupId;
use crate::model::SeriesId;

/// A group, and the number that the series has in it.
type Target = (GroupId, u32);

#[derive(Debug, Default)]
pub(super) struct Routes {
    /// By series: whether it was seen, and one more than the place of its list; 0 is none.
    places: Vec<u32>,
    lists: Vec<Vec<Target>>,
    /// Places of lists that nobody uses.
    free: Vec<u32>,
}

const SEEN: u32 = 1 << 31;

impl Routes {
    /// Whether a reading of the series came by since the start, before this one.
    pub(super) fn see(&mut self, id: SeriesId) -> bool {
        let place = self.place(id);
        let before = *place & SEEN != 0;
        *place |= SEEN;
        before
    }

    pub(super) fn of(&self, id: SeriesId) -> &[Target] {
        self.list(id).map_or(&[], |list| &self.lists[list])
    }

    pub(super) fn add(&mut self, id: SeriesId, group: GroupId, number: u32) {
        let list = self.list(id).unwrap_or_else(|| {
            let list = self.free.pop().unwrap_or_else(|| {
                self.lists.push(Vec::new());
                u32::try_from(self.lists.len()).expect("fewer lists than series") - 1
            });
            *self.place(id) |= list + 1;
            list as usize
        });
        self.lists[list].push((group, number));
    }

    pub(super) fn remove(&mut self, id: SeriesId, group: GroupId) {
        let Some(list) = self.list(id) else {
            return;
        };
        self.lists[list].retain(|(other, _)| *other != group);
        if self.lists[list].is_empty() {
            self.lists[list] = Vec::new();
            *self.place(id) &= SEEN;
            self.free.push(u32::try_from(list).expect("it was one"));
        }
    }

    fn list(&self, id: SeriesId) -> Option<usize> {
        let place = self.places.get(id.index())? & !SEEN;
        (place > 0).then(|| place as usize - 1)
    }

    fn place(&mut self, id: SeriesId) -> &mut u32 {
        if self.places.len() <= id.index() {
            self.places.resize(id.index() + 1, 0);
        }
        &mut self.places[id.index()]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_is_a_list_for_each_series() {
        for seed in 0..20 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut routes, mut lists, mut seen) = (Routes::default(), BTreeMap::<u32, Vec<Target>>::new(), Vec::new());
            for number in 0..500 {
                let (id, group) = (rng.u32(0..30), rng.usize(0..5));
                match rng.u8(0..3) {
                    0 => {
                        assert_eq!(routes.see(SeriesId(id)), seen.contains(&id), "seed {seed}");
                        seen.push(id);
                    }
                    1 => {
                        routes.add(SeriesId(id), group, number);
                        lists.entry(id).or_default().push((group, number));
                    }
                    _ => {
                        routes.remove(SeriesId(id), group);
                        lists.entry(id).or_default().retain(|(other, _)| *other != group);
                    }
                }
                for id in 0..31 {
                    assert_eq!(routes.of(SeriesId(id)), lists.get(&id).map_or(&[][..], Vec::as_slice), "seed {seed}");
                }
            }
            assert!(routes.lists.len() <= 30, "places are used again");
        }
    }
}
