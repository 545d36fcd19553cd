//! Start-up of the `fairlead` binary: the TLS provider, then the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Several dependencies speak TLS; without one provider for all of them rustls refuses to guess. A second
    // installation is the only failure, and there is none before this line.
    let _ = rustls::crypto::ring::default_provider().install_default();
    fairlead::cli::run()
}
