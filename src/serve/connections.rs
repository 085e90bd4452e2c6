//! Connections of clients: how many there are, how long they may be silent, and how they end when the server drains.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use super::{Server, front};

/// The largest head of a request, in bytes; a larger one is answered with 431.
const LARGEST_HEAD: usize = 64 << 10;

/// How long a connection may still bring a request when the server drains. The answer then tells the client to close it.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long the server waits before it accepts again where the system has no more files to give.
const SHORTAGE: Duration = Duration::from_millis(100);

/// Accepts connections until the server drains.
pub(super) async fn accept(server: &Arc<Server>, listener: TcpListener) {
    loop {
        let accepted = async {
            // The semaphore is never closed. Those beyond the limit wait in the system's queue.
            let permit = Arc::clone(&server.connections).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            () = server.drained() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, _)) => begin(server, stream, permit),
            Err(_) => sleep(SHORTAGE).await,
        }
    }
    // Connections that the system has taken are served as well: they would be reset with the socket.
    let Ok(listener) = listener.into_std() else { return };
    while let Ok(stream) = listener.accept().and_then(|(stream, _)| {
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }) {
        begin(server, stream, Arc::clone(&server.connections).try_acquire_owned().ok());
    }
}

fn begin(server: &Arc<Server>, stream: TcpStream, permit: Option<OwnedSemaphorePermit>) {
    // Each token is sent as soon as it comes. Only a connection that is closed already refuses the option.
    let _ = stream.set_nodelay(true);
    let served = Arc::clone(server);
    server.tasks.spawn(async move {
        serve(&served, stream).await;
        drop(permit);
    });
}

async fn serve(server: &Arc<Server>, stream: TcpStream) {
    let idle = server.bounds.idle;
    let service = service_fn(|request| front::handle(Arc::clone(server), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Bounded { stream, idle, stalled: None }), service);
    let mut connection = pin!(connection);
    // A client that breaks the rules, or leaves, has been answered or needs no answer.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = async { server.drained().await; sleep(FAREWELL).await } => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// A connection that ends when the client takes nothing for too long of what it is sent.
struct Bounded {
    stream: TcpStream,
    idle: Duration,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let idle = self.idle;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(idle)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
