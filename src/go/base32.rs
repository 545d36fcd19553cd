//! Go's `encoding/base32` (`StdEncoding`).

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Where a text, its line breaks left out, stops being base32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base32 data at input byte {0}")]
pub struct CorruptInput(pub usize);

/// `EncodeToString`.
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut padded = [0_u8; 8];
        padded[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(padded);
        let digits = (group.len() * 8).div_ceil(5);
        for index in 0..8 {
            let value = (bits >> (35 - 5 * index)) & 31;
            let digit = usize::try_from(value).ok().and_then(|value| ALPHABET.get(value));
            output.push(if index < digits {
                digit.copied().unwrap_or(b'=')
            } else {
                b'='
            });
        }
    }
    output
}

/// `DecodeString`.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, CorruptInput> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    let mut output = Vec::with_capacity(text.len() / 8 * 5);
    let mut start = 0;
    while start < text.len() {
        let group = &text[start..text.len().min(start + 8)];
        let (bits, digits) = read_group(group, start, &text)?;
        let bytes = bits.to_be_bytes();
        output.extend_from_slice(&bytes[3..3 + digits * 5 / 8]);
        if digits < 8 {
            break;
        }
        start += 8;
    }
    Ok(output)
}

/// The bits of up to eight digits and how many digits there are before the padding.
fn read_group(group: &[u8], start: usize, text: &[u8]) -> Result<(u64, usize), CorruptInput> {
    let mut bits = 0_u64;
    for index in 0..8_usize {
        let Some(&byte) = group.get(index) else {
            return Err(CorruptInput(text.len() - index));
        };
        let at = start + index;
        let rest = &text[at + 1..];
        if byte == b'=' && index >= 2 && rest.len() < 8 {
            if rest.len() + index < 7 {
                return Err(CorruptInput(text.len()));
            }
            if let Some(wrong) = rest.iter().take(7 - index).position(|&byte| byte != b'=') {
                return Err(CorruptInput(at + wrong));
            }
            if matches!(index, 1 | 3 | 6) {
                return Err(CorruptInput(at));
            }
            return Ok((bits, index));
        }
        let digit = ALPHABET
            .iter()
            .position(|&candidate| candidate == byte)
            .ok_or(CorruptInput(at))?;
        bits |= u64::try_from(digit).unwrap_or(0) << (35 - 5 * index);
    }
    Ok((bits, 8))
}
