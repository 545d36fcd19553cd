//! The bounds on what is read from outside.

/// Sizes in bytes. The defaults are those of Flux's source-controller and of Helm where these have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A repository's `index.yaml` (50 MiB).
    pub index: u64,
    /// A packed chart (20 MiB; Helm refuses charts of more than 100 MiB unpacked).
    pub archive: u64,
    /// One file of a chart's folder in a packed tree, a `.helmignore`, or `Chart.yaml` inside an archive (5 MiB).
    pub file: u64,
    /// A chart directory as a whole, and so one file of it (100 MiB).
    pub directory: u64,
    /// How many files a chart directory may hold (20 000).
    pub files: usize,
    /// How many redirects are followed (10, as Go's client does).
    pub redirects: usize,
    /// An OCI manifest, configuration or access token (4 MiB, what registries accept at most).
    pub manifest: u64,
    /// How many tags of an OCI repository are read (50 000).
    pub tags: usize,
    /// How many signatures of one artifact are looked at (50).
    pub signatures: usize,
    /// One signature with what proves it (1 MiB; the largest in use have some 20 KiB).
    pub signature: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MEBIBYTE: u64 = 1024 * 1024;
        Self {
            index: 50 * MEBIBYTE,
            archive: 20 * MEBIBYTE,
            file: 5 * MEBIBYTE,
            directory: 100 * MEBIBYTE,
            files: 20_000,
            redirects: 10,
            manifest: 4 * MEBIBYTE,
            tags: 50_000,
            signatures: 50,
            signature: MEBIBYTE,
        }
    }
}
