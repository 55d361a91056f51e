//! Chance that is the same each time.

/// `SplitMix64`.
pub struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In (0, 1].
    fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let unit = ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        unit
    }

    /// Events where `mean` are expected and each comes for itself (a Poisson distribution, by waiting times).
    pub fn events(&mut self, mean: f64) -> u32 {
        let (mut events, mut waited) = (0, -self.unit().ln());
        while waited < mean {
            events += 1;
            waited -= self.unit().ln();
        }
        events
    }
}
