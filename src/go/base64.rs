//! Go's `encoding/base64` (`StdEncoding`): decoding with its errors, which templates show.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Where a text stops being base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
pub struct CorruptInput(pub usize);

/// `EncodeToString`.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `DecodeString`: line breaks are skipped, bits beyond the last byte are ignored.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, CorruptInput> {
    let mut output = Vec::with_capacity(text.len() / 4 * 3);
    let mut quantum = [0_u8; 4];
    let mut filled = 0;
    let mut positions = text
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, byte)| !matches!(byte, b'\r' | b'\n'));
    while let Some((at, byte)) = positions.next() {
        if byte == b'=' {
            return finish(output, quantum, filled, at, &mut positions, text.len());
        }
        quantum[filled] = digit(byte).ok_or(CorruptInput(at))?;
        filled += 1;
        if filled == 4 {
            push(&mut output, quantum, 3);
            filled = 0;
        }
    }
    if filled > 0 {
        return Err(CorruptInput(text.len() - filled));
    }
    Ok(output)
}

/// The padding: `at` is the first `=`.
fn finish(
    mut output: Vec<u8>,
    quantum: [u8; 4],
    filled: usize,
    at: usize,
    positions: &mut impl Iterator<Item = (usize, u8)>,
    length: usize,
) -> Result<Vec<u8>, CorruptInput> {
    match filled {
        0 | 1 => return Err(CorruptInput(at)),
        2 => match positions.next() {
            None => return Err(CorruptInput(length)),
            Some((_, b'=')) => {}
            // Go blames the byte before the one that should be padding.
            Some((next, _)) => return Err(CorruptInput(next - 1)),
        },
        _ => {}
    }
    if let Some((garbage, _)) = positions.next() {
        return Err(CorruptInput(garbage));
    }
    push(&mut output, quantum, filled - 1);
    Ok(output)
}

fn push(output: &mut Vec<u8>, quantum: [u8; 4], bytes: usize) {
    let [a, b, c, d] = quantum;
    let decoded = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    output.extend_from_slice(&decoded[..bytes]);
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
