//! TLS to the database, by rustls: what the address and the config say about it, and who is trusted.

mod channel;
mod trust;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use percent_encoding::percent_decode_str;
use postgres::config::SslMode;
use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Encrypted;

use self::trust::Trust;
use crate::error::Error;

pub(super) use self::trust::advice;

/// `sslmode`, in the words of libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    const ALL: [(&str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];
}

/// What an address says about TLS that the driver does not know.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parameters {
    mode: Option<Mode>,
    /// `sslrootcert`: a file, or `system`.
    root: Option<PathBuf>,
    /// `sslcert` and `sslkey`.
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Parameters {
    /// Takes them out of an address; returns the rest of it as well.
    ///
    /// # Errors
    /// There is no such `sslmode`.
    pub(super) fn take(url: &str) -> Result<(Self, String), Error> {
        let mut all = Self::default();
        // A password may hold a question mark.
        let after_password = url.find('@').unwrap_or(0);
        let Some(query) = url[after_password..].find('?').map(|at| after_password + at) else {
            return Ok((all, url.to_owned()));
        };
        let mut others = Vec::new();
        for parameter in url[query + 1..].split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            let path = || Some(PathBuf::from(value.as_ref())).filter(|path| !path.as_os_str().is_empty());
            match name {
                "sslmode" => all.mode = Some(mode(&value)?),
                "sslrootcert" => all.root = path(),
                "sslcert" => all.certificate = path(),
                "sslkey" => all.key = path(),
                _ => others.push(parameter),
            }
        }
        let separator = if others.is_empty() { "" } else { "?" };
        Ok((all, format!("{}{separator}{}", &url[..query], others.join("&"))))
    }

    /// What this means for connections, with the `ca_file` of the config. No file is read.
    ///
    /// # Errors
    /// The parameters do not fit together.
    pub(super) fn apply(self, ca_file: Option<&Path>) -> Result<Rules, Error> {
        let root = match self.root.as_deref() {
            Some(root) if root == Path::new("system") => None,
            root => root.or(ca_file),
        };
        // Whoever names an authority wants it to be asked for.
        let mode = self.mode.unwrap_or(if root.is_some() { Mode::VerifyFull } else { Mode::Prefer });
        let ssl_mode = match mode {
            Mode::Disable => return Ok(Rules { mode: SslMode::Disable, trust: None }),
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        };
        let trust = match (root, mode) {
            (Some(file), Mode::VerifyCa) => Trust::AnyNameBy(file.to_owned()),
            (Some(file), _) => Trust::SignedBy(file.to_owned()),
            (None, Mode::VerifyCa) => {
                return Err(Error::config_hint(
                    "sslmode=verify-ca in the url of [store] needs the certificate of an authority",
                    "ca_file of [store], or sslrootcert in the url, names its file; authorities of the system sign for \
                     everybody, so that sslmode=verify-full is needed for them",
                ));
            }
            (None, _) => Trust::System,
        };
        let own = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(Error::config("sslcert and sslkey in the url of [store] need each other")),
        };
        Ok(Rules { mode: ssl_mode, trust: Some((trust, own)) })
    }
}

/// How connections are to be encrypted, before the files for it are read.
pub(super) struct Rules {
    pub(super) mode: SslMode,
    /// Who is trusted, and our own certificate with its key; `None` where nothing is encrypted.
    trust: Option<(Trust, Option<(PathBuf, PathBuf)>)>,
}

impl Rules {
    /// # Errors
    /// A file cannot be read.
    pub(super) fn tls(&self) -> Result<Tls, Error> {
        let Some((trust, own)) = &self.trust else { return Ok(Tls(None)) };
        let own = own.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let config = trust::client(trust, own)?;
        Ok(Tls(Some(TlsConnector::from(Arc::new(config)))))
    }
}

fn mode(word: &str) -> Result<Mode, Error> {
    let known = Mode::ALL.iter().find(|(name, _)| *name == word);
    known.map(|(_, mode)| *mode).ok_or_else(|| {
        let names = Mode::ALL.map(|(name, _)| name).join(", ");
        Error::config_hint("the sslmode in the url of [store] is unknown", format!("known are {names}"))
    })
}

/// How connections are encrypted; `None` where the address forbids it.
#[derive(Clone, Default)]
pub(super) struct Tls(Option<TlsConnector>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Connect> {
        // A socket of this machine has no name, and is not encrypted.
        let name = ServerName::try_from(domain.to_owned()).ok();
        Ok(Connect { connector: self.0.clone(), name })
    }
}

pub(super) struct Connect {
    connector: Option<TlsConnector>,
    name: Option<ServerName<'static>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connect {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let (Some(connector), Some(name)) = (self.connector, self.name) else {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "there is no TLS for this address"));
            };
            connector.connect(name, stream).await.map(|stream| Stream(Box::new(stream)))
        })
    }
}

/// An encrypted connection.
pub(super) struct Stream<S>(Box<Encrypted<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, session) = self.0.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        match certificate.and_then(|certificate| channel::end_point(certificate)) {
            Some(hash) => ChannelBinding::tls_server_end_point(hash),
            None => ChannelBinding::none(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
