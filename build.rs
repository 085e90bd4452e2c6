//! Links the program with packed relocations where this machine's C library can read them: unpacked, they are half a
//! mebibyte that every start reads into memory.
#![expect(clippy::disallowed_methods, reason = "this is how build scripts ask")]

use std::env;
use std::process::Command;

/// The first glibc that reads them.
const FIRST: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let target = variable("TARGET");
    // What is built for another machine may meet an older library there.
    let is_for_here = target == variable("HOST") && target.ends_with("-linux-gnu");
    if is_for_here && glibc().is_some_and(|version| version >= FIRST) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's C library, if it is glibc and says so.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
