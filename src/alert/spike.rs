//! When a count is a spike: pure arithmetic.
//!
//! A count is one when it reaches the least number that is worth a message, three times what is usual, and a number that
//! chance alone would give less than once in a million windows, if events came independently at the usual rate
//! (the upper tail of the Poisson distribution).

/// Chance of a false alarm in one window.
const CHANCE: f64 = 1e-6;
/// How many times the usual count a spike has at least.
const TIMES_USUAL: f64 = 3.0;

/// Whether `count` events in a window are a spike where `usual` (a mean, not negative) are expected and fewer than
/// `least` are never worth a message.
#[must_use]
pub fn is_spike(count: u64, usual: f64, least: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let counted = count as f64;
    count >= least && counted >= TIMES_USUAL * usual && upper_tail(count, usual) < CHANCE
}

/// The chance of `count` or more events where `mean` are expected: P(X >= count), X Poisson. Up to the mean it is said to
/// be 1, which is all that has to be known of it.
#[must_use]
pub fn upper_tail(count: u64, mean: f64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    if mean <= 0.0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let n = count as f64;
    if n <= mean {
        return 1.0;
    }
    // The terms fall from n on, each by mean / k: a few dozen are all there is.
    let mut term = (n * mean.ln() - mean - ln_factorial(n)).exp();
    let (mut sum, mut k) = (term, n);
    while term > sum * 1e-12 {
        k += 1.0;
        term *= mean / k;
        sum += term;
    }
    sum.min(1.0)
}

/// ln(n!) by Stirling's series; better than 1e-6 from 1 on.
fn ln_factorial(n: f64) -> f64 {
    let half_ln_two_pi = 0.918_938_533_204_672_8;
    (n + 0.5) * n.ln() - n + half_ln_two_pi + 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thresholds_are_those_of_the_poisson_distribution() {
        // From tables: the least count whose upper tail is below one in a million.
        for (mean, least) in [(0.1, 5), (1.0, 10), (5.0, 20), (10.0, 29), (50.0, 88), (100.0, 152)] {
            assert!(
                upper_tail(least, mean) < CHANCE,
                "{mean}: {least} is rare enough: {}",
                upper_tail(least, mean)
            );
            assert!(upper_tail(least - 1, mean) >= CHANCE, "{mean}: {} is not", least - 1);
        }
    }

    #[test]
    fn a_spike_is_many_rare_and_three_times_the_usual() {
        assert!(is_spike(5, 0.0, 5), "nothing is usual");
        assert!(!is_spike(4, 0.0, 5));
        assert!(is_spike(10, 1.0, 5) && !is_spike(9, 1.0, 5), "rare");
        assert!(
            is_spike(300, 100.0, 5) && !is_spike(299, 100.0, 5),
            "three times the usual, though 152 are rare"
        );
        assert!(is_spike(50, 0.0, 50) && !is_spike(49, 1.0, 50));
    }
}
