//! The columns of a generation by series. Ids are dense, but of a million series only some have readings between two seals: room is
//! made page by page.

use super::column::Column;
use crate::model::SeriesId;

pub(crate) const PAGE: usize = 64;

pub(super) type Page = Box<[Column; PAGE]>;

#[derive(Debug, Default)]
pub(super) struct Columns {
    pages: Vec<Option<Page>>,
}

pub(super) fn new_page() -> Page {
    Box::new(std::array::from_fn(|_| Column::default()))
}

impl Columns {
    /// None: it has no points.
    pub(super) fn get(&self, id: SeriesId) -> Option<&Column> {
        let page = self.pages.get(id.index() / PAGE)?.as_ref()?;
        Some(&page[id.index() % PAGE]).filter(|column| !column.is_empty())
    }

    pub(super) fn get_mut(&mut self, id: SeriesId) -> Option<&mut Column> {
        let page = self.pages.get_mut(id.index() / PAGE)?.as_mut()?;
        Some(&mut page[id.index() % PAGE])
    }

    pub(super) fn get_or_make(&mut self, id: SeriesId) -> &mut Column {
        let page = id.index() / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(new_page);
        &mut page[id.index() % PAGE]
    }

    pub(super) fn take_pages(&mut self) -> Vec<Option<Page>> {
        std::mem::take(&mut self.pages)
    }

    pub(super) fn set_pages(&mut self, pages: Vec<Option<Page>>) {
        self.pages = pages;
    }

    /// Those that have points, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SeriesId, &Column)> {
        let first_ids = (0..).step_by(PAGE);
        let pages = first_ids.zip(&self.pages).filter_map(|(first, page)| Some((first, page.as_ref()?)));
        let columns = pages.flat_map(|(first, page)| (first..).map(SeriesId).zip(page.iter()));
        columns.filter(|(_, column)| !column.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    #[test]
    fn columns_with_points_are_found_by_id() {
        let mut columns = Columns::default();
        let ids = [700, 0, 63, 64, 65, 1_000_000].map(SeriesId);
        for id in ids {
            columns.get_or_make(id).put(1, Value::Bool(true), 1);
        }
        columns.get_or_make(SeriesId(66));
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        assert_eq!(columns.iter().map(|(id, _)| id).collect::<Vec<_>>(), sorted);
        for id in (0..800).chain([999_999, 1_000_000, 1_000_001, u32::MAX]).map(SeriesId) {
            assert_eq!(columns.get(id).is_some(), ids.contains(&id), "{id:?}");
        }
        let column = columns.get_mut(SeriesId(63)).unwrap();
        assert_eq!(column.remove(0, 9), 1);
        assert!(columns.get(SeriesId(63)).is_none());
    }
}
