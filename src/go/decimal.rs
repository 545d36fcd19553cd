//! shopspring/decimal, as far as Sprig's `addf` and its kin use it: exact arithmetic on the shortest decimal form of
//! each float, so that 0.1 + 0.2 is 0.3.

use num_bigint::{BigInt, Sign};

/// Digits after the point that a division keeps.
const DIVISION_PRECISION: i64 = 16;

/// `value * 10^exponent`.
#[derive(Clone, Debug)]
pub struct Decimal {
    value: BigInt,
    exponent: i64,
}

/// Why there is no result; Go panics with these texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// An infinity or NaN.
    #[error("Cannot create a Decimal from {0}")]
    NotFinite(&'static str),
    /// A division by zero.
    #[error("decimal division by 0")]
    DivisionByZero,
}

impl Decimal {
    /// `NewFromFloat`: the shortest decimal that reads back as this float.
    pub fn from_float(number: f64) -> Result<Self, DecimalError> {
        if number.is_nan() {
            return Err(DecimalError::NotFinite("NaN"));
        }
        if number.is_infinite() {
            return Err(DecimalError::NotFinite(if number > 0.0 { "+Inf" } else { "-Inf" }));
        }
        let text = format!("{number:e}");
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let value = format!("{whole}{fraction}").parse().unwrap_or_default();
        let exponent = power.parse::<i64>().unwrap_or(0) - i64::try_from(fraction.len()).unwrap_or(0);
        Ok(Self { value, exponent })
    }

    /// `Float64`: the nearest float.
    pub fn to_float(&self) -> f64 {
        format!("{}e{}", self.value, self.exponent).parse().unwrap_or(f64::NAN)
    }

    /// The same number with a smaller exponent.
    fn rescaled(&self, exponent: i64) -> BigInt {
        let shift = u32::try_from(self.exponent - exponent).unwrap_or(0);
        &self.value * power_of_ten(shift)
    }

    /// `Add`.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self {
            value: self.rescaled(exponent) + other.rescaled(exponent),
            exponent,
        }
    }

    /// `Sub`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self {
            value: self.rescaled(exponent) - other.rescaled(exponent),
            exponent,
        }
    }

    /// `Mul`.
    #[must_use]
    pub fn multiply(&self, other: &Self) -> Self {
        Self {
            value: &self.value * &other.value,
            exponent: self.exponent + other.exponent,
        }
    }

    /// `Div`: 16 digits after the point, the last one rounded away from zero from 5 on.
    pub fn divide(&self, other: &Self) -> Result<Self, DecimalError> {
        if other.value.sign() == Sign::NoSign {
            return Err(DecimalError::DivisionByZero);
        }
        let shift = self.exponent - other.exponent + DIVISION_PRECISION;
        let power = power_of_ten(u32::try_from(shift.unsigned_abs()).unwrap_or(0));
        let (dividend, divisor) = if shift < 0 {
            (self.value.clone(), &other.value * power)
        } else {
            (&self.value * power, other.value.clone())
        };
        let mut quotient = &dividend / &divisor;
        let remainder = &dividend - &quotient * &divisor;
        if remainder.magnitude() * 2_u32 >= *divisor.magnitude() {
            let negative = (dividend.sign() == Sign::Minus) != (divisor.sign() == Sign::Minus);
            quotient += if negative { -1 } else { 1 };
        }
        Ok(Self {
            value: quotient,
            exponent: -DIVISION_PRECISION,
        })
    }
}

fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10_u8).pow(exponent)
}
