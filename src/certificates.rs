//! Files of certificates, as PEM.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::input::{self, Accept};

/// The largest file of certificates that is read, in bytes; the system's own are a fifth of a mebibyte.
pub(crate) const LARGEST_FILE: u64 = 16 << 20;

/// The certificates of a file, of which there is at least one.
///
/// # Errors
/// The file cannot be read; [`ErrorKind::InvalidData`] where it holds no certificate, or one that cannot be used.
pub(crate) fn read(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let pem = read_pem(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem)
        .enumerate()
        .map(|(index, found)| found.map_err(|error| unusable(index, &error)))
        .collect();
    let found = found?;
    match found.is_empty() {
        true => Err(io::Error::new(ErrorKind::InvalidData, "it holds no certificate")),
        false => Ok(found),
    }
}

/// As [`read`], where each certificate is that of an authority to trust. Each is tried here, because what is built of all of them
/// does not say which one it does not understand.
pub(crate) fn read_authorities(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let found = read(path)?;
    for (index, certificate) in found.iter().enumerate() {
        RootCertStore::empty().add(certificate.clone()).map_err(|error| unusable(index, &error))?;
    }
    Ok(found)
}

/// The content of a file of certificates or of a private key, without a byte order mark, which would hide the first one.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    input::read_unmarked(path, LARGEST_FILE, Accept::Files)
}

fn unusable(index: usize, error: &dyn std::error::Error) -> io::Error {
    let message = format!("certificate {} in it cannot be used: {error}", index + 1);
    io::Error::new(ErrorKind::InvalidData, message)
}
