//! The addresses of names, as the system knows them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::resources;

/// The most names that are looked up at once: each takes a thread.
const AT_ONCE: usize = 256;

/// Looks names up. The HTTP library's own way panics where the system gives it no thread.
#[derive(Debug)]
pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move { Ok(Box::new(addresses(name.as_str()).await?.into_iter()) as Addrs) })
    }
}

/// The addresses of a host, without a port.
///
/// # Errors
/// The system has none, or no thread to look for them.
pub(super) async fn addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    static LOOKUPS: Semaphore = Semaphore::const_new(AT_ONCE);
    let permit = LOOKUPS.acquire().await.map_err(io::Error::other)?;
    // Before a SOCKS proxy, the client asks for addresses of numbers, too, as they stand in a URL.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let look_up = move || {
        // A look-up that is no longer waited for takes its thread all the same.
        let _permit = permit;
        (host.as_str(), 0).to_socket_addrs().map(Vec::from_iter)
    };
    resources::on_thread(thread::Builder::new().name("resolver".into()), look_up)?.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_of_numbers_is_known_as_it_stands_in_a_url() {
        for (host, expected) in [("[::1]", "[::1]:0"), ("::1", "[::1]:0"), ("127.0.0.1", "127.0.0.1:0")] {
            let found = addresses(host).await.expect(host);
            assert_eq!(found, [expected.parse().expect("an address")], "{host}");
        }
    }
}
