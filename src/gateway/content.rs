//! The body of a request that may be larger than the memory should be.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// How much of a file is read at once, in bytes.
const PIECE: u64 = 64 << 10;

/// Bytes, with a file between them.
#[derive(Debug)]
pub struct Content {
    before: Bytes,
    /// The file, and how much of it has not been read.
    file: Option<(File, u64)>,
    after: Bytes,
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self { before: bytes.into(), file: None, after: Bytes::new() }
    }
}

impl Content {
    /// The first `length` bytes of a file between other bytes. The file is read while it is sent.
    ///
    /// # Errors
    /// The file cannot be opened again.
    pub fn around(before: Vec<u8>, mut file: &File, length: u64, after: Vec<u8>) -> io::Result<Self> {
        file.rewind()?;
        Ok(Self { before: before.into(), file: Some((file.try_clone()?, length)), after: after.into() })
    }

    /// The next bytes; none at the end.
    fn next(&mut self) -> io::Result<Bytes> {
        if !self.before.is_empty() {
            return Ok(std::mem::take(&mut self.before));
        }
        if let Some((file, left)) = self.file.as_mut().filter(|(_, left)| *left > 0) {
            let mut piece = Vec::new();
            let read = file.take(PIECE.min(*left)).read_to_end(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *left -= read as u64;
            return Ok(piece.into());
        }
        Ok(std::mem::take(&mut self.after))
    }

    fn left(&self) -> u64 {
        let in_file = self.file.as_ref().map_or(0, |(_, left)| *left);
        self.before.len() as u64 + in_file + self.after.len() as u64
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    /// It is always ready: a file on a disk is not waited for in another way.
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.next().map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_file_is_sent_between_other_bytes_in_pieces_and_its_length_is_known() {
        let mut file = tempfile::tempfile().expect("a file");
        let long = "x".repeat(150_000);
        file.write_all(format!("{long}not this").as_bytes()).expect("written");
        for _ in 0..2 {
            let content = Content::around(b"<".to_vec(), &file, 150_000, b">".to_vec()).expect("the same file");
            assert_eq!(content.size_hint().exact(), Some(150_002));
            let sent = content.collect().await.expect("all of it").to_bytes();
            assert!(sent == format!("<{long}>"), "{} bytes", sent.len());
        }
        let content = Content::around(Vec::new(), &file, 1 << 20, b">".to_vec()).expect("the same file");
        content.collect().await.expect_err("it is shorter");
        assert_eq!(Content::from(b"ab".to_vec()).collect().await.expect("all of it").to_bytes(), "ab");
    }
}
