//! Random text and numbers, from the random source of the rendering's host.

use super::message;
use crate::go::text::unicode;
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Function, Int, function};
use crate::template::value::Text;

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("randAlphaNum", @context rand_alpha_num, (Int) -> Result<Vec<u8>>),
    function!("randAlpha", @context rand_alpha, (Int) -> Result<Vec<u8>>),
    function!("randNumeric", @context rand_numeric, (Int) -> Result<Vec<u8>>),
    function!("randAscii", @context rand_ascii, (Int) -> Result<Vec<u8>>),
    function!("randBytes", @context rand_bytes, (Int) -> Result<String>),
    function!("randInt", @context rand_int, (Int, Int) -> Result<Int>),
    function!("shuffle", @context shuffle, (&Text) -> Vec<u8>),
    function!("uuidv4", @context uuidv4, () -> String),
];

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A number below `bound` (at least 1), each equally likely.
fn below(context: &mut Context<'_>, bound: u64) -> u64 {
    // Numbers at the end of the range that would make the first ones more likely are drawn again.
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let mut bytes = [0; 8];
        context.host().random(&mut bytes);
        let number = u64::from_le_bytes(bytes);
        if number < limit {
            return number % bound;
        }
    }
}

/// So many characters of the alphabet; none for a negative count, where Sprig drops the error.
fn pick(context: &mut Context<'_>, count: i64, alphabet: &[u8]) -> Result<Vec<u8>> {
    let count = usize::try_from(count).unwrap_or(0);
    context.check_size(count)?;
    let bound = u64::try_from(alphabet.len()).unwrap_or(1);
    let mut output = Vec::with_capacity(count);
    for _ in 0..count {
        let index = usize::try_from(below(context, bound)).unwrap_or(0);
        output.push(alphabet[index]);
    }
    Ok(output)
}

fn rand_alpha_num(context: &mut Context<'_>, Int(count): Int) -> Result<Vec<u8>> {
    pick(context, count, &[DIGITS, LETTERS].concat())
}

fn rand_alpha(context: &mut Context<'_>, Int(count): Int) -> Result<Vec<u8>> {
    pick(context, count, LETTERS)
}

fn rand_numeric(context: &mut Context<'_>, Int(count): Int) -> Result<Vec<u8>> {
    pick(context, count, DIGITS)
}

fn rand_ascii(context: &mut Context<'_>, Int(count): Int) -> Result<Vec<u8>> {
    let printable: Vec<u8> = (b' '..=b'~').collect();
    pick(context, count, &printable)
}

fn rand_bytes(context: &mut Context<'_>, Int(count): Int) -> Result<String> {
    let count = usize::try_from(count).map_err(|_| message("runtime error: makeslice: len out of range"))?;
    context.check_size(count)?;
    let mut bytes = vec![0; count];
    context.host().random(&mut bytes);
    Ok(crate::go::base64::encode(&bytes))
}

fn rand_int(context: &mut Context<'_>, Int(low): Int, Int(high): Int) -> Result<Int> {
    let bound = u64::try_from(high.wrapping_sub(low)).unwrap_or(0);
    if bound == 0 {
        return Err(message("invalid argument to Intn"));
    }
    Ok(Int(low.wrapping_add_unsigned(below(context, bound))))
}

fn shuffle(context: &mut Context<'_>, text: &Text) -> Vec<u8> {
    let mut characters: Vec<char> = unicode::runes(text).collect();
    for last in (1..characters.len()).rev() {
        let bound = u64::try_from(last + 1).unwrap_or(1);
        let other = usize::try_from(below(context, bound)).unwrap_or(0);
        characters.swap(last, other);
    }
    characters.into_iter().collect::<String>().into_bytes()
}

fn uuidv4(context: &mut Context<'_>) -> String {
    let mut bytes = [0; 16];
    context.host().random(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
