//! How the program is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // At a fixed address nothing has to be relocated when the program starts: a third of the time of `fairlead --version`, and
    // 0.6 MiB. Go links Helm in the same way. The program has no unsafe code for which the address would have to be secret.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
        // The unwinder is part of the program: as a library of its own it takes longer to load than anything that is done with it, and
        // asks the processor what it can do when it begins, which a virtual machine answers slowly. Every gcc brings the archive.
        println!("cargo:rustc-link-lib=static:-bundle,+verbatim=libgcc_eh.a");
    }
}
