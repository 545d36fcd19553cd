//! Passwords: bcrypt, and the Master Password algorithm.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::message;
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Argument, Cost, Function, Type, function, wrong_type};
use crate::template::value::{Kind, Text, Value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("bcrypt", @context bcrypt, (&Text) -> String).costs(Cost::Keys(1)),
    function!("htpasswd", @context htpasswd, (&Text, &Text) -> String).costs(Cost::Keys(1)),
    function!("derivePassword", derive_password, (Uint32, &Text, &Text, &Text, &Text) -> Result<Vec<u8>>)
        .costs(Cost::Keys(1)),
];

/// Go's default cost.
const COST: u32 = 10;

/// Go's `uint32`, which only `derivePassword` takes.
struct Uint32(u32);

impl<'a> Argument<'a> for Uint32 {
    const TYPE: Type = Type::Named("uint32", Kind::Uint32);

    fn take(value: &'a Value) -> Result<Self> {
        let signed = value.as_int().and_then(|number| u32::try_from(number).ok());
        let number = signed.or_else(|| value.as_uint().and_then(|number| u32::try_from(number).ok()));
        number.map(Self).ok_or_else(|| wrong_type(Self::TYPE, value))
    }
}

/// An error comes back as text.
fn bcrypt(context: &mut Context<'_>, password: &Text) -> String {
    if password.len() > 72 {
        return "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned();
    }
    let mut salt = [0; 16];
    context.host().random(&mut salt);
    match bcrypt::hash_with_salt(password.as_bytes(), COST, salt) {
        Ok(parts) => parts.format_for_version(bcrypt::Version::TwoA),
        Err(error) => format!("failed to encrypt string with bcrypt: {error}"),
    }
}

fn htpasswd(context: &mut Context<'_>, name: &Text, password: &Text) -> String {
    if name.contains(&b':') {
        return format!("invalid username: {name}");
    }
    format!("{name}:{}", bcrypt(context, password))
}

/// The forms of each kind of password; a letter stands for a set of characters.
fn forms(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// The name space of the algorithm, with the length of a text and the text.
fn scoped(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    [b"com.lyndir.masterpassword", length.as_slice(), text].concat()
}

fn derive_password(Uint32(counter): Uint32, kind: &Text, password: &Text, user: &Text, site: &Text) -> Result<Vec<u8>> {
    let Some(forms) = forms(kind) else {
        return Ok(format!("cannot find password template {kind}").into_bytes());
    };
    let parameters = scrypt::Params::new(15, 8, 2, 64).map_err(message)?;
    let mut key = [0; 64];
    scrypt::scrypt(password, &scoped(user), &parameters, &mut key).map_err(message)?;
    let mut code = Hmac::<Sha256>::new_from_slice(&key).map_err(message)?;
    code.update(&scoped(site));
    code.update(&counter.to_be_bytes());
    let seed = code.finalize().into_bytes();
    let (first, rest) = seed.split_first().ok_or_else(|| message("no seed"))?;
    let form = forms[usize::from(*first) % forms.len()];
    let pick = |(class, seed): (u8, &u8)| {
        let set = characters(class);
        set[usize::from(*seed) % set.len()]
    };
    Ok(form.bytes().zip(rest).map(pick).collect())
}
