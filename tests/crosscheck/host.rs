//! What templates get from outside: no cluster, a clock that stands, and numbers that look random.

use fairlead::template::Host;

/// SplitMix64: good enough to find primes with.
pub(crate) struct Offline(pub(crate) u64);

impl Host for Offline {
    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::now() // as the oracle's
    }

    fn random(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = (mixed >> 56) as u8;
        }
    }
}
