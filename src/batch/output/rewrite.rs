//! Writes an output file anew: in the order of rows, or without some lines.

use std::borrow::Cow;
use std::fs;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Deserialize;
use tempfile::NamedTempFile;

use super::{BUFFER, OutputError, OutputFile, next_line};
use crate::batch::line::Line;

/// The row of a line, the place of its model, and where it begins.
type Entry = (u64, u32, u64);

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl OutputFile {
    /// Brings the lines into the order of rows and models. Lines of one place keep their order. `place_of` is the place of a model.
    ///
    /// # Errors
    /// The new file cannot be written; the old one is as it was.
    pub fn sort(&mut self, place_of: impl Fn(&str) -> usize) -> Result<(), OutputError> {
        /// All that the order needs of a line.
        #[derive(Deserialize)]
        struct Key<'a> {
            row: u64,
            #[serde(borrow)]
            model: Cow<'a, str>,
        }
        let mut index: Vec<Entry> = Vec::new();
        self.offsets(|line, offset| {
            let key: Key<'_> = serde_json::from_slice(line)?;
            index.push((key.row, number(place_of(&key.model)), offset));
            Ok(())
        })?;
        index.sort_unstable();
        self.replace(&index, true)
    }

    /// Removes the lines that `keep` does not want. `place_of` is the place of a model.
    ///
    /// # Errors
    /// As for [`OutputFile::sort`].
    pub fn retain(
        &mut self,
        mut keep: impl FnMut(&Line<'_>) -> bool,
        place_of: impl Fn(&str) -> usize,
    ) -> Result<(), OutputError> {
        let mut index: Vec<Entry> = Vec::new();
        self.offsets(|line, offset| {
            let line = Line::parse(line)?;
            if keep(&line) {
                index.push((line.row, number(place_of(&line.model)), offset));
            }
            Ok(())
        })?;
        self.replace(&index, false)
    }

    /// Puts a file with the lines of the index into the place of this one, as a whole.
    fn replace(&mut self, index: &[Entry], is_in_order: bool) -> Result<(), OutputError> {
        let path = self.path.clone();
        self.copy(index).and_then(|copy| self.take(copy)).map_err(|source| OutputError::Io { path, source })?;
        self.is_in_order = is_in_order;
        self.length = self.file.metadata().map_or(self.length, |metadata| metadata.len());
        self.last = index.last().map_or((0, 0), |(row, place, _)| (*row, *place as usize));
        Ok(())
    }

    /// Calls `each` with every line and where it begins.
    fn offsets(&mut self, mut each: impl FnMut(&[u8], u64) -> io::Result<()>) -> Result<(), OutputError> {
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let mut buffer = Vec::new();
        let mut offset = 0;
        loop {
            let length = next_line(&mut reader, &mut buffer).map_err(io)?;
            if length == 0 {
                return Ok(());
            }
            each(&buffer, offset).map_err(io)?;
            offset += length;
        }
    }

    /// Copies the lines at these offsets to a new file, which is locked.
    fn copy(&self, index: &[Entry]) -> io::Result<NamedTempFile> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        let permissions = self.file.metadata()?.permissions();
        let temporary = builder.prefix(".llm-").permissions(permissions).append(true).tempfile_in(directory)?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let mut writer = BufWriter::with_capacity(BUFFER, temporary.as_file());
        let mut at = reader.seek(SeekFrom::Start(0))?;
        let mut buffer = Vec::new();
        for (_, _, offset) in index {
            let by = i64::try_from(*offset).unwrap_or(0) - i64::try_from(at).unwrap_or(0);
            reader.seek_relative(by)?;
            at = offset + next_line(&mut reader, &mut buffer)?;
            writer.write_all(&buffer)?;
        }
        writer.flush()?;
        drop(writer);
        temporary.as_file().sync_all()?;
        // The new file is locked before it can be seen, so that no other batch takes it.
        let _ = temporary.as_file().try_lock();
        Ok(temporary)
    }

    /// Puts the new file into the place of this one.
    fn take(&mut self, copy: NamedTempFile) -> io::Result<()> {
        let path = fs::canonicalize(&self.path)?;
        // Elsewhere than on Unix a file that is open cannot be replaced, so this one is closed before.
        #[cfg(not(unix))]
        {
            self.file = copy.as_file().try_clone()?;
        }
        match copy.persist(&path) {
            Ok(file) => self.file = file,
            Err(error) => {
                #[cfg(not(unix))]
                {
                    self.file = Self::open(&path, true).map_err(io::Error::other)?.file;
                }
                return Err(error.error);
            }
        }
        Ok(())
    }
}
