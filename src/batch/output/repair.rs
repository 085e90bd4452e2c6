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
    /// known, so that part is removed; a whole line is kept.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn repair(&mut self) -> Result<Repaired, OutputError> {
        self.try_repair().map_err(|source| OutputError::Io { path: self.path.clone(), source })
    }

    fn try_repair(&mut self) -> io::Result<Repaired> {
        let length = self.file.metadata()?.len();
        let start = last_line_start(&mut self.file, length)?;
        self.length = length;
        if start == length {
            return Ok(Repaired::Nothing);
        }
        let mut tail = Vec::new();
        self.file.seek(SeekFrom::Start(start))?;
        (&self.file).take(length - start).read_to_end(&mut tail)?;
        if Line::parse(&tail).is_ok() {
            self.file.write_all(b"\n")?;
            self.length = length + 1;
            return Ok(Repaired::LineEnd);
        }
        self.file.set_len(start)?;
        self.length = start;
        Ok(Repaired::Removed(length - start))
    }
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
