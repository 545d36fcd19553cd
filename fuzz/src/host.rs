//! A world without a cluster, in which the clock stands still and randomness repeats itself.

use fairlead::template::Host;
use serde_json::{Value as Json, json};

/// Randomness is SplitMix64: good enough to find primes with.
pub(crate) struct Still(pub(crate) u64);

impl Host for Still {
    fn lookup(&mut self, _: &str, kind: &str, _: &str, name: &str) -> Result<Json, String> {
        match kind {
            "Secret" => Ok(json!({"kind": "Secret", "metadata": {"name": name}, "data": {"a": "aGk="}})),
            "Forbidden" => Err("secrets is forbidden".to_owned()),
            _ => Ok(json!({})),
        }
    }

    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}
