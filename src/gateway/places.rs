//! At which of the places where its endpoints may be a gateway has them, remembered from one run to the next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::json_file;

/// With more gateways than this, all are looked for anew.
const MOST_ENTRIES: usize = 100;

/// What is known of one gateway's places. Without a file, it is known for this run.
#[derive(Debug, Default)]
pub(super) struct Places {
    file: Option<PathBuf>,
    /// By its base URL, so that another address under the same name is another gateway.
    base_url: String,
    /// `None` until it is first asked for: most gateways have one place.
    known: Mutex<Option<usize>>,
}

impl Places {
    pub(super) fn of(base_url: &str, cache_dir: Option<&Path>) -> Self {
        let file = cache_dir.map(|dir| dir.join("places.json"));
        Self { file, base_url: base_url.to_owned(), known: Mutex::default() }
    }

    /// In which order to try so many places: the one that was right before, then as they come.
    pub(super) fn order(&self, count: usize) -> Vec<usize> {
        if count < 2 {
            return (0..count).collect();
        }
        let known = self.known().unwrap_or(0);
        (0..count).filter(|place| *place == known).chain((0..count).filter(|place| *place != known)).collect()
    }

    /// The endpoints are there.
    pub(super) fn found(&self, place: usize, count: usize) {
        if count < 2 {
            return;
        }
        let mut known = self.known();
        if known.replace(place) == Some(place) {
            return;
        }
        if let Some(file) = &self.file {
            // Another command may have written since this one read.
            let mut places = read(file);
            if places.len() >= MOST_ENTRIES {
                places.clear();
            }
            places.insert(self.base_url.clone(), place);
            // Without the file, the next run asks once more; nobody needs to hear of it.
            let _ = json_file::write(file, &places);
        }
    }

    /// Read from the file if that has not been done.
    fn known(&self) -> MutexGuard<'_, Option<usize>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = || self.file.as_deref().and_then(|file| read(file).get(&self.base_url).copied()).unwrap_or(0);
        known.get_or_insert_with(remembered);
        known
    }
}

fn read(file: &Path) -> BTreeMap<String, usize> {
    json_file::read(file).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_that_was_right_is_tried_first_by_the_next_run() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = |base| Places::of(base, Some(dir.path()));
        let first = open("https://a.example");
        assert_eq!(first.order(3), [0, 1, 2]);
        first.found(2, 3);
        assert_eq!(first.order(3), [2, 0, 1], "by this run");
        assert_eq!(open("https://a.example").order(3), [2, 0, 1], "by the next");
        assert_eq!(open("https://b.example").order(3), [0, 1, 2], "of another address nothing is known");
        // A gateway that moved is found again.
        open("https://a.example").found(0, 3);
        assert_eq!(open("https://a.example").order(3), [0, 1, 2]);
    }

    #[test]
    fn a_gateway_with_one_place_leaves_no_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let only = Places::of("https://a.example", Some(dir.path()));
        assert_eq!(only.order(1), [0]);
        only.found(0, 1);
        Places::of("https://b.example", Some(dir.path())).found(0, 1);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
    }

    #[test]
    fn what_the_file_says_is_used_only_where_it_makes_sense() {
        let dir = tempfile::tempdir().expect("a directory");
        for broken in ["{", r#"{"https://a.example": -1}"#, r#"{"https://a.example": 7}"#] {
            std::fs::write(dir.path().join("places.json"), broken).expect("written");
            assert_eq!(Places::of("https://a.example", Some(dir.path())).order(3), [0, 1, 2], "{broken}");
        }
        let unkept = Places::of("https://a.example", None);
        unkept.found(1, 3);
        assert_eq!(unkept.order(3), [1, 0, 2]);
    }
}
