//! Random primes for RSA keys.
//!
//! The rsa crate looks for them with numbers of any size, which takes ten times as long as in Go, and a chart that makes
//! a certificate does little else. Here the numbers have a fixed size and stay in Montgomery form.

use p256::elliptic_curve::bigint::modular::runtime_mod::{DynResidue, DynResidueParams};
use p256::elliptic_curve::bigint::{Uint, Word};
use rand_core::{CryptoRng, RngCore};
use rsa::BigUint;

/// Rounds of Miller and Rabin, each with a random base. Of random numbers of 1024 bits and more that pass, fewer than one
/// in 2^128 is no prime (Damgård, Landrock, Pomerance: Average case error estimates, 1993).
const ROUNDS: usize = 8;
/// Candidates are first divided by all primes below this.
const SMALL: u32 = 8192;
/// How many odd numbers behind a random one are looked at, before there is another one. Primes of 1024 bits are 355 odd
/// numbers apart on average.
const WINDOW: usize = 8192;

/// A random prime of `LIMBS` words whose two highest bits are set, so that the product of two has all bits that it should.
pub(super) fn random_prime<const LIMBS: usize>(random: &mut (impl RngCore + CryptoRng)) -> BigUint {
    let small = small_primes();
    loop {
        let start = random_candidate::<LIMBS>(random);
        let survivors = sieve(&start, &small);
        for offset in (0..WINDOW).filter(|offset| !survivors[*offset]) {
            let candidate = start.wrapping_add(&Uint::from(2 * offset as u64));
            // Running over the end of the words clears the highest bits.
            if candidate > start.wrapping_sub(&Uint::ONE) && is_probable_prime(&candidate, random) {
                return to_big(&candidate);
            }
        }
    }
}

fn random_uint<const LIMBS: usize>(random: &mut impl RngCore) -> Uint<LIMBS> {
    let mut words = [0; LIMBS];
    for word in &mut words {
        let mut bytes = [0; size_of::<Word>()];
        random.fill_bytes(&mut bytes);
        *word = Word::from_le_bytes(bytes);
    }
    Uint::from_words(words)
}

/// An odd number with the two highest bits set.
fn random_candidate<const LIMBS: usize>(random: &mut impl RngCore) -> Uint<LIMBS> {
    let mut words = random_uint::<LIMBS>(random).to_words();
    if let [first, ..] = &mut words[..] {
        *first |= 1;
    }
    if let [.., last] = &mut words[..] {
        *last |= 0b11 << (Word::BITS - 2);
    }
    Uint::from_words(words)
}

/// The odd primes below [`SMALL`].
fn small_primes() -> Vec<u32> {
    let mut composite = vec![false; SMALL as usize];
    let mut primes = Vec::new();
    for number in (3..SMALL).step_by(2) {
        if !composite[number as usize] {
            primes.push(number);
            for multiple in (number * number..SMALL).step_by(number as usize) {
                composite[multiple as usize] = true;
            }
        }
    }
    primes
}

/// Which of the odd numbers from `start` on have a small divisor.
fn sieve<const LIMBS: usize>(start: &Uint<LIMBS>, primes: &[u32]) -> Vec<bool> {
    let words = start.to_words();
    let mut composite = vec![false; WINDOW];
    for prime in primes {
        let remainder = remainder(&words, *prime);
        // start + 2 * offset is a multiple: offset is half of what is missing, made even.
        let missing = if remainder == 0 { 0 } else { prime - remainder };
        let missing = if missing % 2 == 0 { missing } else { missing + prime };
        for multiple in (missing as usize / 2..WINDOW).step_by(*prime as usize) {
            composite[multiple] = true;
        }
    }
    composite
}

fn remainder(words: &[Word], divisor: u32) -> u32 {
    let divisor = u64::from(divisor);
    let mut remainder = 0_u64;
    for word in words.iter().rev() {
        for half in word.to_be_bytes().chunks(4) {
            let half = half.iter().fold(0_u64, |half, byte| (half << 8) | u64::from(*byte));
            remainder = ((remainder << 32) | half) % divisor;
        }
    }
    // Less than a divisor of 32 bits.
    u32::try_from(remainder).unwrap_or_default()
}

/// Miller's and Rabin's test, for odd numbers.
fn is_probable_prime<const LIMBS: usize>(number: &Uint<LIMBS>, random: &mut impl RngCore) -> bool {
    let parameters = DynResidueParams::new(number);
    let less_one = number.wrapping_sub(&Uint::ONE);
    let twos = less_one.trailing_zeros();
    let odd = less_one.shr_vartime(twos);
    let one = DynResidue::one(parameters);
    let minus_one = DynResidue::new(&less_one, parameters);
    (0..ROUNDS).all(|_| {
        let base = DynResidue::new(&random_uint(random), parameters);
        let mut power = base.pow(&odd);
        if power == one || power == minus_one {
            return true;
        }
        (1..twos).any(|_| {
            power = power.square();
            power == minus_one
        })
    })
}

fn to_big<const LIMBS: usize>(number: &Uint<LIMBS>) -> BigUint {
    let bytes: Vec<u8> = number.to_words().iter().flat_map(|word| word.to_le_bytes()).collect();
    BigUint::from_bytes_le(&bytes)
}

#[cfg(test)]
mod tests {
    use p256::elliptic_curve::bigint::U1024;

    use super::*;

    /// SplitMix64: good enough to find primes with.
    struct Sequence(u64);

    impl RngCore for Sequence {
        fn next_u32(&mut self) -> u32 {
            (self.next_u64() >> 32) as u32
        }

        fn next_u64(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        }

        fn fill_bytes(&mut self, buffer: &mut [u8]) {
            for chunk in buffer.chunks_mut(8) {
                chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
            }
        }

        fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), rand_core::Error> {
            self.fill_bytes(buffer);
            Ok(())
        }
    }

    impl CryptoRng for Sequence {}

    fn mersenne(exponent: usize) -> U1024 {
        U1024::ONE.shl_vartime(exponent).wrapping_sub(&U1024::ONE)
    }

    #[test]
    fn primes_are_told_from_composites() {
        let mut random = Sequence(1);
        for exponent in [127, 521, 607] {
            assert!(is_probable_prime(&mersenne(exponent), &mut random), "2^{exponent}-1");
        }
        for exponent in [128, 129, 523, 601, 1009] {
            assert!(!is_probable_prime(&mersenne(exponent), &mut random), "2^{exponent}-1");
        }
        let product = mersenne(127).wrapping_mul(&mersenne(521));
        assert!(!is_probable_prime(&product, &mut random));
    }

    #[test]
    fn the_sieve_marks_what_has_a_small_divisor() {
        let primes = small_primes();
        assert_eq!(primes[..5], [3, 5, 7, 11, 13]);
        assert_eq!((primes.len(), primes.last()), (1027, Some(&8191)));
        let start = random_candidate::<{ U1024::LIMBS }>(&mut Sequence(2));
        let marked = sieve(&start, &primes);
        for (offset, marked) in marked.iter().enumerate().take(300) {
            let words = start.wrapping_add(&Uint::from(2 * offset as u64)).to_words();
            assert_eq!(
                *marked,
                primes.iter().any(|prime| remainder(&words, *prime) == 0),
                "{offset}"
            );
        }
    }

    #[test]
    fn a_random_prime_has_its_size() {
        let prime = random_prime::<{ U1024::LIMBS }>(&mut Sequence(3));
        assert_eq!(prime.bits(), 1024);
        assert_eq!(prime >> 1022, BigUint::from(3_u8));
    }
}
