//! AES-256 in CBC mode, with the password as the key: cut or filled with zeros to 32 bytes.

use aes::Aes256;
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};

use super::message;
use crate::go::base64;
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Function, function};
use crate::template::value::Text;

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("encryptAES", @context encrypt, (&Text, &Text) -> Result<String>),
    function!("decryptAES", decrypt, (&Text, &Text) -> Result<Vec<u8>>),
];

const BLOCK: usize = 16;

fn key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    key
}

/// The initialisation vector stands before the cipher text, all in base64.
fn encrypt(context: &mut Context<'_>, password: &Text, plain: &Text) -> Result<String> {
    if plain.is_empty() {
        return Ok(String::new());
    }
    let mut vector = [0; BLOCK];
    context.host().random(&mut vector);
    let cipher = cbc::Encryptor::<Aes256>::new(&key(password).into(), &vector.into());
    let encrypted = cipher.encrypt_padded_vec_mut::<Pkcs7>(plain);
    Ok(base64::encode(&[vector.as_slice(), &encrypted].concat()))
}

/// Sprig trusts the padding; what Go's bounds checks say about a bad one is the error.
fn decrypt(password: &Text, text: &Text) -> Result<Vec<u8>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let data = base64::decode(text).map_err(message)?;
    let Some((vector, encrypted)) = data.split_first_chunk::<BLOCK>() else {
        let capacity = text.len() / 4 * 3;
        return Err(message(if capacity < BLOCK {
            format!("runtime error: slice bounds out of range [:16] with capacity {capacity}")
        } else {
            format!("runtime error: slice bounds out of range [16:{}]", data.len())
        }));
    };
    if encrypted.len() % BLOCK != 0 {
        return Err(message("crypto/cipher: input not full blocks"));
    }
    let cipher = cbc::Decryptor::<Aes256>::new(&key(password).into(), vector.into());
    let mut plain = cipher.decrypt_padded_vec_mut::<NoPadding>(encrypted).map_err(message)?;
    let Some(padding) = plain.last().copied().map(usize::from) else {
        return Err(message("runtime error: index out of range [-1]"));
    };
    let Some(length) = plain.len().checked_sub(padding) else {
        return Err(message(format!(
            "runtime error: slice bounds out of range [:-{}]",
            padding - plain.len()
        )));
    };
    plain.truncate(length);
    Ok(plain)
}
