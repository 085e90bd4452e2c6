//! Who is trusted to be the database, and what there is to do where nobody is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::certificates;
use crate::error::Error;

/// Whose signature makes a certificate good.
pub(super) enum Trust {
    /// That of an authority of the system, for the host in the address.
    System,
    /// That of an authority in this file, for the host in the address.
    SignedBy(PathBuf),
    /// That of an authority in this file, for any name.
    AnyNameBy(PathBuf),
}

/// How to be a client who trusts so, with a certificate and a key of its own where there are any.
///
/// # Errors
/// A file cannot be read, or the system has no certificates.
pub(super) fn client(trust: &Trust, own: Option<(&Path, &Path)>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unset(&error))?;
    let builder = match trust {
        Trust::System => builder.with_platform_verifier().map_err(|error| unset(&error))?,
        Trust::SignedBy(file) => builder.dangerous().with_custom_certificate_verifier(verifier(file, provider)?),
        Trust::AnyNameBy(file) => {
            let verifier = Arc::new(AnyName(verifier(file, provider)?));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
    };
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = of(certificate, certificates::read(certificate))?;
            let pem = of(key, certificates::read_pem(key))?;
            let secret = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unread(key, &error))?;
            builder.with_client_auth_cert(chain, secret).map_err(|error| {
                let is_about_certificate = matches!(error, rustls::Error::InvalidCertificate(_));
                unread(if is_about_certificate { certificate } else { key }, &error)
            })?
        }
    };
    // With `sslnegotiation=direct`, the database asks for it.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

fn verifier(file: &Path, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for authority in of(file, certificates::read_authorities(file))? {
        roots.add(authority).map_err(|error| unread(file, &error))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|error| unset(&error))
}

/// What was read of a file.
fn of<T>(file: &Path, read: io::Result<T>) -> Result<T, Error> {
    read.map_err(|error| Error::shortage(&unusable(file), &error).unwrap_or_else(|| unread(file, &error)))
}

fn unread(file: &Path, cause: &dyn std::error::Error) -> Error {
    Error::Config { message: unusable(file), cause: Some(cause.to_string()), hint: None }
}

fn unusable(file: &Path) -> String {
    format!("the file {} cannot be used for TLS to [store]", file.display())
}

fn unset(error: &dyn std::error::Error) -> Error {
    Error::Config {
        message: "TLS to [store] cannot be set up".into(),
        cause: Some(error.to_string()),
        hint: Some(
            "are the system's certificates installed (package ca-certificates), and is what SSL_CERT_FILE or SSL_CERT_DIR names \
             there, with certificates as PEM, where they are set? ca_file of [store] names others"
                .into(),
        ),
    }
}

/// Trusts an authority for any name: that of the host is the last thing that the verifier compares.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(error) if is_about_the_name(&error) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn is_about_the_name(error: &rustls::Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

/// What a user can do about an error of the driver, where that is about TLS.
pub(in crate::postgres) fn advice(error: &postgres::Error) -> Option<&'static str> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return advice_about(error);
        }
        // The driver has no word of its own for this.
        if cause.to_string() == "server does not support TLS" {
            return Some(
                "`ssl = on` in postgresql.conf makes it encrypt connections; sslmode in the url asks for that",
            );
        }
        source = cause.source();
    }
    None
}

fn advice_about(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => Some(
            "the database's certificate needs an RSA key of 2048 bits or more; or ca_file of [store], or sslrootcert of the url, \
             names another authority of the same name than the one that signed",
        ),
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Some(
            "if an authority of your own signed the certificate of the database, name its file in ca_file of [store], or in \
             sslrootcert of the url",
        ),
        rustls::Error::InvalidCertificate(CertificateError::Other(_))
            if error.to_string().contains("CaUsedAsEndEntity") =>
        {
            Some(
                "whoever runs the database can make it a certificate that is no authority (`openssl req -x509 -addext \
             basicConstraints=critical,CA:FALSE …`), which ca_file of [store], or sslrootcert of the url, can name",
            )
        }
        error if is_about_the_name(error) => Some(
            "the host in the url must be a name that the certificate of the database has; sslmode=verify-ca does not \
             compare them",
        ),
        rustls::Error::InvalidCertificate(_) => Some("whoever runs the database has to mend its certificate"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_of_a_certificate_has_its_way_out() {
        let wrong = |error| advice_about(&rustls::Error::InvalidCertificate(error)).expect("advice");
        assert!(wrong(CertificateError::UnknownIssuer).contains("ca_file of [store]"));
        assert!(wrong(CertificateError::NotValidForName).contains("the host in the url"));
        assert!(wrong(CertificateError::Expired).contains("has to mend"));
        let other = std::io::Error::other("CaUsedAsEndEntity");
        let own = CertificateError::Other(rustls::OtherError(std::sync::Arc::new(other)));
        assert!(wrong(own).contains("no authority") && !wrong(CertificateError::Revoked).contains("no authority"));
        assert_eq!(advice_about(&rustls::Error::DecryptError), None);
    }
}
