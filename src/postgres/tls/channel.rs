//! The binding of a password to a TLS connection, by which the database shows that nobody stands between.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// `tls-server-end-point` of RFC 5929: the hash of the server's certificate by the hash function of its signature. `None` where
/// that function is unknown, and where the signature has none of its own.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (whole, _) = element(certificate)?;
    let (_, after_content) = element(whole)?;
    let (algorithm, _) = element(after_content)?;
    let (name, _) = element(algorithm)?;
    Some(match name {
        SHA1_RSA | SHA256_RSA | SHA256_ECDSA => Sha256::digest(certificate).to_vec(),
        SHA384_RSA | SHA384_ECDSA => Sha384::digest(certificate).to_vec(),
        SHA512_RSA | SHA512_ECDSA => Sha512::digest(certificate).to_vec(),
        _ => return None,
    })
}

// Names of algorithms as RFC 8017 and RFC 5758 number them. What SHA-1 signed is hashed by SHA-256.
const SHA1_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];
const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const SHA384_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const SHA512_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
const SHA256_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SHA384_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const SHA512_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];

/// The content of the first element of DER, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, der) = der.split_first()?;
    let (&length, der) = der.split_first()?;
    let (length, der) = match length {
        0..0x80 => (usize::from(length), der),
        _ => {
            let (digits, der) = der.split_at_checked(usize::from(length & 0x7f))?;
            let length =
                digits.iter().try_fold(0usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?;
            (length, der)
        }
    };
    der.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    #[test]
    fn a_certificate_is_hashed_as_it_was_signed() {
        for (algorithm, length) in
            [(&PKCS_ECDSA_P256_SHA256, Some(32)), (&PKCS_ECDSA_P384_SHA384, Some(48)), (&PKCS_ED25519, None)]
        {
            let key = KeyPair::generate_for(algorithm).expect("a key");
            // More than 255 bytes, so that lengths have several digits.
            let names: Vec<String> = (0..20).map(|n| format!("server-{n}.example")).collect();
            let certificate = CertificateParams::new(names).expect("names").self_signed(&key).expect("a certificate");
            let hash = end_point(certificate.der());
            assert_eq!(hash.as_ref().map(Vec::len), length);
            for end in 0..certificate.der().len() {
                // What is cut off may be found out or not; nothing of it panics.
                drop(end_point(&certificate.der()[..end]));
            }
        }
    }
}
