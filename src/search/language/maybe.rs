//! Conditions over tests of which some are not known yet.

use crate::block::token_test::TokenTest;

/// What is known of a test or condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Maybe {
    /// It doesn't hold.
    No,
    /// It may hold or not.
    Unknown,
    /// It holds.
    Yes,
}

impl From<bool> for Maybe {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl std::ops::Not for Maybe {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

/// A query's tree over numbered tests.
#[derive(Clone, Debug)]
pub(super) enum Check {
    /// All hold.
    All(Vec<Self>),
    /// One holds.
    Any(Vec<Self>),
    /// It doesn't hold.
    Not(Box<Self>),
    /// The test of this number.
    Test(usize),
}

impl Check {
    /// What is known if `test` tells what is known of each test: never more than follows from it.
    pub fn evaluate(&self, test: &impl Fn(usize) -> Maybe) -> Maybe {
        match self {
            Self::Test(number) => test(*number),
            Self::Not(check) => !check.evaluate(test),
            Self::All(checks) => {
                let mut least = Maybe::Yes;
                for check in checks {
                    least = least.min(check.evaluate(test));
                    if least == Maybe::No {
                        break;
                    }
                }
                least
            }
            Self::Any(checks) => {
                let mut most = Maybe::No;
                for check in checks {
                    most = most.max(check.evaluate(test));
                    if most == Maybe::Yes {
                        break;
                    }
                }
                most
            }
        }
    }

    /// What the condition asks of a block's token filters if `of_test` says what each test asks. A condition negated
    /// asks nothing.
    pub fn token_test(&self, of_test: &impl Fn(usize) -> TokenTest) -> TokenTest {
        match self {
            Self::Test(number) => of_test(*number),
            Self::Not(_) => TokenTest::Always,
            Self::All(checks) => TokenTest::all(checks.iter().map(|check| check.token_test(of_test))),
            Self::Any(checks) => TokenTest::any(checks.iter().map(|check| check.token_test(of_test))),
        }
    }
}
