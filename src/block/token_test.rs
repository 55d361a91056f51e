//! What a block's two token filters must admit for an event in it to match: necessary, never sufficient.
//!
//! A test has one meaning wherever it is done: on a header in memory ([`TokenTest::admits`]) or in SQL, where the
//! filters are and only the headers that pass travel.

use super::filter::may_contain;

/// Tokens of one text that are tested at most, spread over it: each more rules out hardly anything.
const MAX_TEXT_TOKENS: usize = 24;

/// A condition on a block's filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenTest {
    /// Every block passes.
    #[default]
    Always,
    /// The id filter admits this token.
    Id(u64),
    /// The text filter admits this token.
    Text(u64),
    /// All hold.
    All(Vec<Self>),
    /// One holds.
    Any(Vec<Self>),
}

impl TokenTest {
    /// All of some tests.
    #[must_use]
    pub fn all(tests: impl IntoIterator<Item = Self>) -> Self {
        let mut list = Vec::new();
        for test in tests {
            match test {
                Self::Always => {}
                Self::All(inner) => list.extend(inner),
                other => list.push(other),
            }
        }
        dedup(&mut list);
        if list.len() > 1 { Self::All(list) } else { list.pop().unwrap_or_default() }
    }

    /// One of some tests; of none, it always holds.
    #[must_use]
    pub fn any(tests: impl IntoIterator<Item = Self>) -> Self {
        let mut list = Vec::new();
        for test in tests {
            match test {
                Self::Always => return Self::Always,
                Self::Any(inner) => list.extend(inner),
                other => list.push(other),
            }
        }
        dedup(&mut list);
        if list.len() > 1 { Self::Any(list) } else { list.pop().unwrap_or_default() }
    }

    /// All of a text's trigrams, or some from all over it where it has many.
    #[must_use]
    pub fn text(trigrams: &[u64]) -> Self {
        let step = trigrams.len().div_ceil(MAX_TEXT_TOKENS).max(1);
        Self::all(trigrams.iter().step_by(step).map(|&token| Self::Text(token)))
    }

    /// False only if one of the filters says that no event matches.
    #[must_use]
    pub fn admits(&self, id_filter: &[u8], text_filter: &[u8]) -> bool {
        match self {
            Self::Always => true,
            Self::Id(token) => may_contain(id_filter, *token),
            Self::Text(token) => may_contain(text_filter, *token),
            Self::All(tests) => tests.iter().all(|test| test.admits(id_filter, text_filter)),
            Self::Any(tests) => tests.iter().any(|test| test.admits(id_filter, text_filter)),
        }
    }

    /// Tokens in it.
    #[must_use]
    pub fn tokens(&self) -> usize {
        match self {
            Self::Always => 0,
            Self::Id(_) | Self::Text(_) => 1,
            Self::All(tests) | Self::Any(tests) => tests.iter().map(Self::tokens).sum(),
        }
    }

    /// Whether it looks at the id filter, and at the text filter.
    #[must_use]
    pub fn filters(&self) -> (bool, bool) {
        match self {
            Self::Always => (false, false),
            Self::Id(_) => (true, false),
            Self::Text(_) => (false, true),
            Self::All(tests) | Self::Any(tests) => tests.iter().fold((false, false), |(ids, texts), test| {
                let (id, text) = test.filters();
                (ids || id, texts || text)
            }),
        }
    }

    /// A test of at most so many tokens that passes whatever this one passes, and perhaps more. Ids are kept first:
    /// they rule out most.
    #[must_use]
    pub fn within(&self, tokens: usize) -> Self {
        match self {
            _ if self.tokens() <= tokens => self.clone(),
            Self::All(tests) => {
                let (ids, others): (Vec<_>, Vec<_>) = tests.iter().partition(|test| test.filters().0);
                let mut left = tokens;
                let mut kept = Vec::new();
                for test in ids.into_iter().chain(others) {
                    let part = test.within(left);
                    left -= part.tokens();
                    kept.push(part);
                }
                Self::all(kept)
            }
            // Each branch has its share; one that has no room left makes all of it pass.
            Self::Any(tests) => {
                let share = tokens / tests.len().max(1);
                Self::any(tests.iter().map(|test| test.within(share)))
            }
            Self::Always | Self::Id(_) | Self::Text(_) => Self::Always,
        }
    }
}

fn dedup(tests: &mut Vec<TokenTest>) {
    let mut seen: Vec<TokenTest> = Vec::with_capacity(tests.len());
    for test in tests.drain(..) {
        if !seen.contains(&test) {
            seen.push(test);
        }
    }
    *tests = seen;
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::block::filter::build;

    fn test() -> impl Strategy<Value = TokenTest> {
        let leaf = prop_oneof![
            1 => Just(TokenTest::Always),
            4 => (0..40_u64).prop_map(TokenTest::Id),
            4 => (0..40_u64).prop_map(TokenTest::Text),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(TokenTest::all),
                vec(inner, 1..4).prop_map(TokenTest::any)
            ]
        })
    }

    #[test]
    fn nothing_to_test_always_holds() {
        assert_eq!(TokenTest::all([]), TokenTest::Always);
        assert_eq!(TokenTest::all([TokenTest::Always, TokenTest::Id(1)]), TokenTest::Id(1));
        assert_eq!(TokenTest::any([TokenTest::Always, TokenTest::Id(1)]), TokenTest::Always);
    }

    #[test]
    fn a_long_text_is_tested_by_some_of_its_trigrams() {
        let trigrams: Vec<u64> = (0..1_000).collect();
        assert!((12..=24).contains(&TokenTest::text(&trigrams).tokens()));
        assert_eq!(TokenTest::text(&trigrams[..24]).tokens(), 24);
    }

    #[test]
    fn with_too_little_room_the_ids_are_kept() {
        let both = TokenTest::all([TokenTest::Text(1), TokenTest::Text(2), TokenTest::Id(3)]);
        assert_eq!(both.within(1), TokenTest::Id(3));
        assert_eq!(TokenTest::any([TokenTest::Id(1), TokenTest::Id(2)]).within(1), TokenTest::Always);
    }

    proptest! {
        #[test]
        fn a_smaller_test_passes_whatever_the_whole_passes(
            test in test(),
            tokens in 0..12_usize,
            ids in vec(0..40_u64, 0..20),
            texts in vec(0..40_u64, 0..20),
        ) {
            let smaller = test.within(tokens);
            prop_assert!(smaller.tokens() <= tokens);
            let filters = (build(&ids), build(&texts));
            prop_assert!(!test.admits(&filters.0, &filters.1) || smaller.admits(&filters.0, &filters.1));
        }
    }
}
