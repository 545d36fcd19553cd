//! Certificates: authorities, self-signed and signed ones, laid out as Go's x509 package lays them out.

use std::any::Any;
use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::asn1::{
    Any as DerAny, BitString, GeneralizedTime, Ia5String, Null, OctetString, SetOfVec, UtcTime,
};
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode as _, Encode, Tagged as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

use super::keys::{PrivateKey, decode_pem, pem};
use super::message;
use crate::go::{base64, fmt};
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Argument, Cost, Function, Int, Type, function, wrong_type};
use crate::template::value::{Field, Kind, List, Object, Text, Underlying, Value};

type Result<T> = std::result::Result<T, FunctionError>;

const CERTIFICATE: Type = Type::Named("sprig.certificate", Kind::Struct);
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

pub(super) const FUNCTIONS: &[Function] = &[
    function!("genCA", @context gen_ca, (&Text, Int) -> Result<Value> as CERTIFICATE).costs(Cost::Keys(1)),
    function!("genCAWithKey", @context gen_ca_with_key, (&Text, Int, &Text) -> Result<Value> as CERTIFICATE),
    function!("genSelfSignedCert", @context gen_self_signed, (&Text, &List, &List, Int) -> Result<Value> as CERTIFICATE).costs(Cost::Keys(1)),
    function!("genSelfSignedCertWithKey", @context gen_self_signed_with_key, (&Text, &List, &List, Int, &Text) -> Result<Value> as CERTIFICATE),
    function!("genSignedCert", @context gen_signed, (&Text, &List, &List, Int, &Issued) -> Result<Value> as CERTIFICATE).costs(Cost::Keys(1)),
    function!("genSignedCertWithKey", @context gen_signed_with_key, (&Text, &List, &List, Int, &Issued, &Text) -> Result<Value> as CERTIFICATE),
    function!("buildCustomCert", build_custom, (&Text, &Text) -> Result<Value> as CERTIFICATE),
];

/// Sprig's `certificate`: both parts as PEM.
#[derive(Debug)]
struct Issued {
    certificate: Text,
    key: Text,
}

impl Object for Issued {
    fn type_name(&self) -> &'static str {
        CERTIFICATE.name()
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn underlying(&self) -> Underlying {
        let fields = [("Cert", &self.certificate), ("Key", &self.key)];
        let field = |(name, text): (&'static str, &Text)| Field {
            name,
            value: text.clone().into(),
            interface: false,
        };
        Underlying::Struct(fields.into_iter().map(field).collect())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<'a> Argument<'a> for &'a Issued {
    const TYPE: Type = CERTIFICATE;

    fn take(value: &'a Value) -> Result<Self> {
        value.downcast().ok_or_else(|| wrong_type(CERTIFICATE, value))
    }
}

/// What a certificate is to say.
struct Request<'a> {
    name: &'a Text,
    addresses: Vec<IpAddr>,
    names: Vec<Ia5String>,
    days: i64,
    authority: bool,
}

impl<'a> Request<'a> {
    fn new(name: &'a Text, addresses: &List, names: &List, Int(days): Int) -> Result<Self> {
        let addresses = addresses.iter().map(parse_address).collect::<Result<_>>()?;
        let names = names.iter().map(parse_name).collect::<Result<_>>()?;
        Ok(Self {
            name,
            addresses,
            names,
            days,
            authority: false,
        })
    }
}

fn shown(value: &Value) -> String {
    let mut output = Vec::new();
    fmt::write_value(&mut output, value);
    String::from_utf8_lossy(&output).into_owned()
}

fn parse_address(value: &Value) -> Result<IpAddr> {
    let text = value
        .as_text()
        .ok_or_else(|| message(format!("error parsing ip: {} is not a string", shown(value))))?;
    text.to_string()
        .parse()
        .map_err(|_| message(format!("error parsing ip: {text}")))
}

fn parse_name(value: &Value) -> Result<Ia5String> {
    let wrong = || {
        message(format!(
            "error processing alternate dns name: {} is not a string",
            shown(value)
        ))
    };
    let text = value.as_text().ok_or_else(wrong)?.to_string();
    Ia5String::new(&text).map_err(|_| {
        message(format!(
            "error creating certificate: x509: {text:?} cannot be encoded as an IA5String"
        ))
    })
}

fn gen_ca(context: &mut Context<'_>, name: &Text, days: Int) -> Result<Value> {
    let key = PrivateKey::rsa(context, 2048)?;
    authority(context, name, days, &key)
}

fn gen_ca_with_key(context: &mut Context<'_>, name: &Text, days: Int, key: &Text) -> Result<Value> {
    let key = own_key(key)?;
    authority(context, name, days, &key)
}

fn authority(context: &mut Context<'_>, name: &Text, Int(days): Int, key: &PrivateKey) -> Result<Value> {
    let request = Request {
        name,
        addresses: Vec::new(),
        names: Vec::new(),
        days,
        authority: true,
    };
    issue(context, &request, key, None)
}

fn own_key(text: &Text) -> Result<PrivateKey> {
    PrivateKey::from_pem(text).map_err(|error| message(format!("parsing private key: {error}")))
}

fn gen_self_signed(context: &mut Context<'_>, name: &Text, ips: &List, names: &List, days: Int) -> Result<Value> {
    let request = Request::new(name, ips, names, days)?;
    let key = PrivateKey::rsa(context, 2048)?;
    issue(context, &request, &key, None)
}

fn gen_self_signed_with_key(
    context: &mut Context<'_>,
    name: &Text,
    ips: &List,
    names: &List,
    days: Int,
    key: &Text,
) -> Result<Value> {
    let key = own_key(key)?;
    issue(context, &Request::new(name, ips, names, days)?, &key, None)
}

fn gen_signed(
    context: &mut Context<'_>,
    name: &Text,
    ips: &List,
    names: &List,
    days: Int,
    issuer: &Issued,
) -> Result<Value> {
    let request = Request::new(name, ips, names, days)?;
    let key = PrivateKey::rsa(context, 2048)?;
    issue(context, &request, &key, Some(&Issuer::new(issuer)?))
}

fn gen_signed_with_key(
    context: &mut Context<'_>,
    name: &Text,
    ips: &List,
    names: &List,
    days: Int,
    issuer: &Issued,
    key: &Text,
) -> Result<Value> {
    let key = own_key(key)?;
    issue(
        context,
        &Request::new(name, ips, names, days)?,
        &key,
        Some(&Issuer::new(issuer)?),
    )
}

/// Who signs.
struct Issuer {
    certificate: Certificate,
    key: PrivateKey,
}

impl Issuer {
    fn new(issued: &Issued) -> Result<Self> {
        let (_, der) = decode_pem(&issued.certificate).ok_or_else(|| message("unable to decode certificate"))?;
        let certificate = Certificate::from_der(&der)
            .map_err(|error| message(format!("error parsing certificate: decodedSignerCert.Bytes: {error}")))?;
        let key = PrivateKey::from_pem(&issued.key)
            .map_err(|error| message(format!("error parsing private key: {error}")))?;
        let public = certificate
            .tbs_certificate
            .subject_public_key_info
            .to_der()
            .map_err(failed)?;
        if public != key.public_key()? {
            return Err(failed("x509: provided PrivateKey doesn't match parent's PublicKey"));
        }
        Ok(Self { certificate, key })
    }

    /// The key identifier that the authority's own certificate names.
    fn key_identifier(&self) -> Option<OctetString> {
        let extensions = self
            .certificate
            .tbs_certificate
            .extensions
            .as_deref()
            .unwrap_or_default();
        let extension = extensions
            .iter()
            .find(|extension| extension.extn_id == SubjectKeyIdentifier::OID)?;
        SubjectKeyIdentifier::from_der(extension.extn_value.as_bytes())
            .ok()
            .map(|identifier| identifier.0)
    }
}

fn failed(error: impl std::fmt::Display) -> FunctionError {
    message(format!("error creating certificate: {error}"))
}

/// Makes the certificate of `key`, signed by the issuer or by itself.
fn issue(context: &mut Context<'_>, request: &Request<'_>, key: &PrivateKey, issuer: Option<&Issuer>) -> Result<Value> {
    let subject = subject(request.name)?;
    let signer = issuer.map_or(key, |issuer| &issuer.key);
    let (algorithm, null_parameter) = signer.signature_algorithm();
    let parameters = null_parameter.then(|| DerAny::from(Null));
    let algorithm = AlgorithmIdentifierOwned {
        oid: algorithm,
        parameters,
    };
    let public = SubjectPublicKeyInfoOwned::from_der(&key.public_key()?).map_err(failed)?;
    let issuer_name = issuer.map_or_else(
        || subject.clone(),
        |issuer| issuer.certificate.tbs_certificate.subject.clone(),
    );
    let authority_key = if issuer_name == subject {
        None
    } else {
        issuer.and_then(Issuer::key_identifier)
    };
    let signed_part = TbsCertificate {
        version: Version::V3,
        serial_number: serial_number(context)?,
        signature: algorithm.clone(),
        issuer: issuer_name,
        validity: validity(context, request.days)?,
        extensions: Some(extensions(request, &subject, &public, authority_key)?),
        subject,
        subject_public_key_info: public,
        issuer_unique_id: None,
        subject_unique_id: None,
    };
    let signed = signer.sign(&signed_part.to_der().map_err(failed)?);
    let certificate = Certificate {
        tbs_certificate: signed_part,
        signature_algorithm: algorithm,
        signature: BitString::from_bytes(&signed).map_err(failed)?,
    };
    let certificate = pem("CERTIFICATE", &certificate.to_der().map_err(failed)?);
    Ok(Value::object(Issued {
        certificate: certificate.into(),
        key: key.to_pem()?.into(),
    }))
}

/// 128 random bits.
fn serial_number(context: &mut Context<'_>) -> Result<SerialNumber> {
    let mut bytes = [0; 16];
    context.host().random(&mut bytes);
    let first = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len() - 1);
    SerialNumber::new(&bytes[first..]).map_err(failed)
}

/// A common name and nothing else; without one the name is empty.
fn subject(name: &Text) -> Result<RdnSequence> {
    if name.is_empty() {
        return Ok(RdnSequence::default());
    }
    let text = name.to_string();
    let value = match PrintableStringRef::new(&text) {
        Ok(printable) => DerAny::new(printable.tag(), printable.as_bytes()),
        Err(_) => Utf8StringRef::new(&text).and_then(|text| DerAny::new(text.tag(), text.as_bytes())),
    };
    let attribute = AttributeTypeAndValue {
        oid: COMMON_NAME,
        value: value.map_err(failed)?,
    };
    let set = SetOfVec::try_from(vec![attribute]).map_err(failed)?;
    Ok(RdnSequence(vec![RelativeDistinguishedName(set)]))
}

fn validity(context: &mut Context<'_>, days: i64) -> Result<Validity> {
    const DAY: i64 = 86_400;
    let now = context.host().now().as_second();
    let end = now.saturating_add(days.saturating_mul(DAY));
    Ok(Validity {
        not_before: instant(now)?,
        not_after: instant(end)?,
    })
}

/// Two-digit years until 2049, four-digit ones afterwards.
fn instant(seconds: i64) -> Result<Time> {
    let since_1970 = u64::try_from(seconds).map(Duration::from_secs);
    let since_1970 = since_1970.map_err(|_| failed("the certificate would end before 1970"))?;
    match UtcTime::from_unix_duration(since_1970) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => GeneralizedTime::from_unix_duration(since_1970)
            .map(Time::GeneralTime)
            .map_err(failed),
    }
}

fn extension(oid: ObjectIdentifier, critical: bool, content: &impl Encode) -> Result<Extension> {
    let encoded = content.to_der().map_err(failed)?;
    Ok(Extension {
        extn_id: oid,
        critical,
        extn_value: OctetString::new(encoded).map_err(failed)?,
    })
}

/// In Go's order.
fn extensions(
    request: &Request<'_>,
    subject: &RdnSequence,
    public: &SubjectPublicKeyInfoOwned,
    authority_key: Option<OctetString>,
) -> Result<Vec<Extension>> {
    let mut usage = KeyUsages::KeyEncipherment | KeyUsages::DigitalSignature;
    if request.authority {
        usage |= KeyUsages::KeyCertSign;
    }
    let constraints = BasicConstraints {
        ca: request.authority,
        path_len_constraint: None,
    };
    let mut extensions = vec![
        extension(KeyUsage::OID, true, &KeyUsage(usage))?,
        extension(
            ExtendedKeyUsage::OID,
            false,
            &ExtendedKeyUsage(vec![SERVER_AUTH, CLIENT_AUTH]),
        )?,
        extension(BasicConstraints::OID, true, &constraints)?,
    ];
    if request.authority {
        // The first 160 bits of the SHA-256 of the key, as Go does since 1.25.
        let hash = Sha256::digest(public.subject_public_key.raw_bytes());
        let identifier = SubjectKeyIdentifier(OctetString::new(&hash[..20]).map_err(failed)?);
        extensions.push(extension(SubjectKeyIdentifier::OID, false, &identifier)?);
    }
    if let Some(key_identifier) = authority_key {
        let identifier = AuthorityKeyIdentifier {
            key_identifier: Some(key_identifier),
            authority_cert_issuer: None,
            authority_cert_serial_number: None,
        };
        extensions.push(extension(AuthorityKeyIdentifier::OID, false, &identifier)?);
    }
    if !request.names.is_empty() || !request.addresses.is_empty() {
        let names = request.names.iter().cloned().map(|name| Ok(GeneralName::DnsName(name)));
        let addresses = request.addresses.iter().map(|address| address_name(*address));
        let alternatives = SubjectAltName(names.chain(addresses).collect::<Result<_>>()?);
        extensions.push(extension(SubjectAltName::OID, subject.0.is_empty(), &alternatives)?);
    }
    Ok(extensions)
}

fn address_name(address: IpAddr) -> Result<GeneralName> {
    let bytes = match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    OctetString::new(bytes).map(GeneralName::IpAddress).map_err(failed)
}

/// Checks both parts and passes them on as they are.
fn build_custom(certificate: &Text, key: &Text) -> Result<Value> {
    let certificate = base64::decode(certificate).map_err(|_| message("unable to decode base64 certificate"))?;
    let key = base64::decode(key).map_err(|_| message("unable to decode base64 private key"))?;
    let (_, der) = decode_pem(&certificate).ok_or_else(|| message("unable to decode certificate"))?;
    Certificate::from_der(&der)
        .map_err(|error| message(format!("error parsing certificate: decodedCert.Bytes: {error}")))?;
    check_key(&key).map_err(|error| message(format!("error parsing private key: {error}")))?;
    Ok(Value::object(Issued {
        certificate: certificate.into(),
        key: key.into(),
    }))
}

/// Keys of types that this program does not sign with are passed on too.
fn check_key(key: &[u8]) -> std::result::Result<(), String> {
    match decode_pem(key) {
        Some((label, der)) if matches!(label.as_str(), "EC PRIVATE KEY" | "DSA PRIVATE KEY" | "PRIVATE KEY") => {
            DerAny::from_der(&der).map(drop).map_err(|error| error.to_string())
        }
        _ => PrivateKey::from_pem(key).map(drop),
    }
}
