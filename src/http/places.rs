//! Places for answers that last: so many in all, and so many for each caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::ApiError;
use crate::http::guard::{Caller, Reader};
use crate::http::route::Call;
use crate::limit::ClientKey;

/// Live tails at once.
pub const MAX_TAILS: usize = 64;
/// Of them for one caller.
pub const MAX_TAILS_EACH: usize = 16;
/// Exports at once.
pub const MAX_EXPORTS: usize = 4;
/// Of them for one caller.
pub const MAX_EXPORTS_EACH: usize = 2;

/// Who has a place: a project's readers, or the admins of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Project(i64),
    Admin(ClientKey),
}

/// So many places; clones share them.
#[derive(Clone, Debug)]
pub struct Places {
    most: usize,
    most_each: usize,
    /// Never has more entries than there are places.
    taken: Arc<Mutex<HashMap<Holder, usize>>>,
}

/// A place; free again when dropped.
#[derive(Debug)]
pub struct Place {
    holder: Holder,
    taken: Arc<Mutex<HashMap<Holder, usize>>>,
}

impl Places {
    fn new(most: usize, most_each: usize) -> Self {
        Self { most, most_each, taken: Arc::default() }
    }

    /// Those of live tails.
    #[must_use]
    pub fn of_tails() -> Self {
        Self::new(MAX_TAILS, MAX_TAILS_EACH)
    }

    /// Those of exports.
    #[must_use]
    pub fn of_exports() -> Self {
        Self::new(MAX_EXPORTS, MAX_EXPORTS_EACH)
    }

    /// A place for who calls.
    ///
    /// # Errors
    /// `Overloaded` when all are taken, or as many as one caller may have.
    pub fn take(&self, call: &Call) -> Result<Place, ApiError> {
        let holder = match call.caller {
            Caller::Reader(Reader::Project(project)) => Holder::Project(project),
            _ => Holder::Admin(call.client().into()),
        };
        self.take_for(holder).ok_or(ApiError::Overloaded(5))
    }

    fn take_for(&self, holder: Holder) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        if all >= self.most || taken.get(&holder).is_some_and(|own| *own >= self.most_each) {
            return None;
        }
        *taken.entry(holder).or_default() += 1;
        Some(Place { holder, taken: self.taken.clone() })
    }

    /// Places taken now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.holder) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_each_and_for_all_and_come_back() {
        let places = Places::new(3, 2);
        let [one, two] = [1, 2].map(Holder::Project);
        let first = places.take_for(one);
        let second = places.take_for(one);
        assert!(first.is_some() && second.is_some() && places.take_for(one).is_none());
        let third = places.take_for(two);
        assert!(third.is_some() && places.take_for(two).is_none(), "three are all");
        drop(first);
        assert!(places.take_for(two).is_some());
        assert_eq!(places.taken(), 2);
        drop((second, third));
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
