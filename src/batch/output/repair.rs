//! Mends the end of an output file whose writer was killed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{LONGEST_LINE, OutputError, OutputFile, too_long};
use crate::batch::line::Line;

/// What had to be done to the end of a file whose writer was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repaired {
    /// The last line is whole, or there is none.
    Nothing,
    /// The last line was whole, but its line end was missing.
    LineEnd,
    /// A part of a line was removed, of so many bytes.
    Removed(u64),
}

impl OutputFile {
    /// Mends the end of the file. What is missing of a line that was being written when its process was killed cannot be
    /// known, so that part is removed; a whole line is kept. The whole lines must have been scanned before, because nothing
    /// may be removed from the file of another program.
    ///
    /// # Errors
    /// The file cannot be read or written, or it has no whole line and its content is not the beginning of one.
    pub fn repair(&mut self) -> Result<Repaired, OutputError> {
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        let length = self.file.metadata().map_err(io)?.len();
        let (start, tail) = last_line(&mut self.file, length).map_err(io)?;
        self.length = length;
        if tail.is_empty() {
            return Ok(Repaired::Nothing);
        }
        match Line::parse(&tail) {
            Ok(_) => {
                self.file.write_all(b"\n").map_err(io)?;
                self.length = length + 1;
                Ok(Repaired::LineEnd)
            }
            Err(error) if start == 0 && !(error.is_eof() && is_beginning(&tail)) => {
                Err(self.foreign(1, error.to_string()))
            }
            Err(_) => {
                self.file.set_len(start).map_err(io)?;
                self.length = start;
                Ok(Repaired::Removed(length - start))
            }
        }
    }
}

/// Whether these bytes can be the beginning of a line of a batch: its first fields, or a part of them.
fn is_beginning(tail: &[u8]) -> bool {
    let mut rest = tail;
    for name in [&b"{\"row\":"[..], b",\"line\":", b",\"row_id\":"] {
        if rest.len() <= name.len() {
            return name.starts_with(rest);
        }
        let Some(value) = rest.strip_prefix(name) else { return false };
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = &value[digits..];
    }
    true
}

/// The last line, if it has no end, and where it begins.
fn last_line(file: &mut File, length: u64) -> io::Result<(u64, Vec<u8>)> {
    let start = last_line_start(file, length)?;
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    (&*file).take(length - start).read_to_end(&mut tail)?;
    Ok((start, tail))
}

/// Where the last line begins; the length of the file where that line has its end.
fn last_line_start(file: &mut File, length: u64) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = length;
    let mut buffer = Vec::new();
    while end > 0 {
        if length - end > LONGEST_LINE {
            return Err(too_long());
        }
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        buffer.clear();
        (&*file).take(end - start).read_to_end(&mut buffer)?;
        if let Some(at) = memchr::memrchr(b'\n', &buffer) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
