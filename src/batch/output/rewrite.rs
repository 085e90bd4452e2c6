//! Writes an output file anew: in the order of rows, or without some lines.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::{BUFFER, OutputError, OutputFile};
use crate::batch::line::Line;

impl OutputFile {
    /// Writes the file anew with the lines that `keep` wants, in the order of rows and models if `sort`. The new file takes the
    /// place of the old one as a whole. `place_of` is the place of a model.
    ///
    /// # Errors
    /// The new file cannot be written; the old one is as it was.
    pub fn rewrite(
        &mut self,
        sort: bool,
        mut keep: impl FnMut(&Line<'_>) -> bool,
        place_of: impl Fn(&str) -> usize,
    ) -> Result<(), OutputError> {
        let mut index: Vec<(u64, u32, u64)> = Vec::new();
        let mut offset = 0;
        self.offsets(|line, length| {
            let parsed = Line::parse(line).map_err(io::Error::other)?;
            if keep(&parsed) {
                index.push((parsed.row, u32::try_from(place_of(&parsed.model)).unwrap_or(u32::MAX), offset));
            }
            offset += length;
            Ok(())
        })?;
        if sort {
            // Lines of one place keep their order.
            index.sort_unstable();
        }
        let path = self.path.clone();
        let file = self.copy(&index).map_err(|source| OutputError::Io { path, source })?;
        self.is_in_order = sort;
        self.length = file.metadata().map_or(self.length, |metadata| metadata.len());
        self.last = index.last().map_or((0, 0), |(row, place, _)| (*row, *place as usize));
        self.file = file;
        Ok(())
    }

    fn offsets(&mut self, mut each: impl FnMut(&[u8], u64) -> io::Result<()>) -> Result<(), OutputError> {
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let length = reader.read_until(b'\n', &mut buffer).map_err(io)?;
            if length == 0 {
                return Ok(());
            }
            each(&buffer, length as u64).map_err(io)?;
        }
    }

    /// Copies the lines at these offsets to a new file, which takes the place of this one.
    fn copy(&self, index: &[(u64, u32, u64)]) -> io::Result<File> {
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
            buffer.clear();
            at = offset + reader.read_until(b'\n', &mut buffer)? as u64;
            writer.write_all(&buffer)?;
        }
        writer.flush()?;
        drop(writer);
        temporary.as_file().sync_all()?;
        // The new file is locked before it can be seen, so that no other batch takes it.
        let _ = temporary.as_file().try_lock();
        temporary.persist(fs::canonicalize(&self.path)?).map_err(|error| error.error)
    }
}
