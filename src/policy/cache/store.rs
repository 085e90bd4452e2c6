//! The files of the cache. Each answer is a file with a checksum. When there is no space, the least recently used files are
//! removed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Key;
use crate::call::Passed;
use crate::chat::{FinishReason, Response, Surcharge, TokenLogprob, ToolCall, Usage};
use crate::input::{self, Accept};
use crate::money::Usd;
use crate::private;

/// The number of directories that the files are spread over. Each has its share of `max_size`, so that freeing space reads
/// only one directory.
const SHARDS: u64 = 16;

/// The directory of stored answers, with the limits of their age and size.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    /// The age after which an answer is not used any more.
    ttl: Duration,
    /// The size limit of all files together, in bytes.
    max_size: u64,
}

/// The size of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// The number of answers.
    pub answers: u64,
    /// The size of all files together, in bytes.
    pub size: u64,
    /// When the least recently used answer was used; `None` in an empty cache.
    pub oldest: Option<SystemTime>,
}

/// An answer as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Seconds since 1970.
    at: u64,
    id: Option<String>,
    model: Option<String>,
    text: String,
    /// Files of older versions lack this field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    logprobs: Vec<TokenLogprob>,
    reasoning: String,
    signature: Option<String>,
    tool_calls: Vec<ToolCall>,
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    reasoning_tokens: Option<u64>,
    cost: Option<Usd>,
    finish: Option<FinishReason>,
    /// Files of older versions lack these fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write_hour: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    surcharge: Option<Surcharge>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passed: Option<PassedEntry>,
}

/// The answer as its client got it.
#[derive(Debug, Serialize, Deserialize)]
struct PassedEntry {
    content_type: Option<String>,
    text: String,
}

impl Store {
    pub fn new(dir: PathBuf, ttl: Duration, max_size: u64) -> Self {
        Self { dir, ttl, max_size }
    }

    /// The answer to this key. Returns `None` where there is no answer, or it is too old, damaged or for another key.
    pub fn get(&self, key: &Key, now: SystemTime) -> Option<(Response, Option<Passed>)> {
        let path = self.path(key);
        // Another user could have put an answer there.
        fs::symlink_metadata(&path).ok().filter(private::is_ours)?;
        if private::exposed(&path).is_some() {
            return None;
        }
        let content = input::read(&path, self.max_size, Accept::Files).ok()?;
        let mut entry = decode_entry(key, &content)?;
        let at = UNIX_EPOCH + Duration::from_secs(entry.at);
        // How old an answer is that was stored while the clock was ahead, nobody knows.
        if now.duration_since(at).ok()? > self.ttl {
            return None;
        }
        // If the time of use cannot be written, the answer is only removed earlier than others.
        let _ = File::options().write(true).open(&path).and_then(|file| file.set_modified(now));
        let passed = entry
            .passed
            .take()
            .map(|passed| Passed { content_type: passed.content_type.map(Arc::from), bytes: passed.text.into_bytes() });
        Some((entry.into(), passed))
    }

    /// Stores an answer, and removes the least recently used ones if there is no space. An answer that is larger than a
    /// directory's share is not stored. Readers see the whole file or none.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&self, key: &Key, answer: &Response, passed: Option<&Passed>, now: SystemTime) -> io::Result<()> {
        let mut entry = Entry::new(answer, now);
        if let Some(Passed { content_type, bytes }) = passed {
            // No wire format has other bytes.
            let Ok(text) = String::from_utf8(bytes.clone()) else { return Ok(()) };
            entry.passed = Some(PassedEntry { content_type: content_type.as_deref().map(str::to_owned), text });
        }
        let content = encode_entry(key, &entry)?;
        let share = self.max_size / SHARDS;
        if content.len() as u64 > share {
            return Ok(());
        }
        let path = self.path(key);
        let shard = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        private::create_dir(shard)?;
        // `tempfile` makes files that only this user can read.
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(shard)?;
        file.write_all(&content)?;
        // The file is not synced: if power is lost, a damaged file does not match its checksum and is not used.
        file.persist(&path).map_err(|error| error.error)?;
        remove_least_recently_used(shard, share)
    }

    /// The number and size of the stored answers.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn stats(&self) -> io::Result<Stats> {
        let mut stats = Stats::default();
        for file in self.files()? {
            stats.answers += 1;
            stats.size += file.size;
            stats.oldest = Some(stats.oldest.map_or(file.used, |oldest| oldest.min(file.used)));
        }
        Ok(stats)
    }

    /// Removes all answers. Returns what there was.
    ///
    /// # Errors
    /// The directory cannot be read or removed.
    pub fn clear(&self) -> io::Result<Stats> {
        let stats = self.stats()?;
        match fs::remove_dir_all(&self.dir) {
            Err(error) if !input::is_missing(&error) => Err(error),
            _ => Ok(stats),
        }
    }

    fn files(&self) -> io::Result<Vec<StoredFile>> {
        let mut files = Vec::new();
        for shard in read_dir(&self.dir)? {
            files.extend(files_of_shard(&shard?.path())?);
        }
        Ok(files)
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name = key.to_string();
        self.dir.join(&name[..1]).join(name)
    }
}

/// The content of a file: a line with the checksum, then the entry. The checksum includes the key, so that an answer is
/// never used for another request.
fn encode_entry(key: &Key, entry: &Entry) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(entry)?;
    Ok([checksum(key, &json).as_bytes(), b"\n", &json].concat())
}

/// Reads the content of a file. Returns `None` where it is damaged or for another key.
fn decode_entry(key: &Key, content: &[u8]) -> Option<Entry> {
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let (sum, json) = (&content[..end], &content[end + 1..]);
    if sum != checksum(key, json).as_bytes() {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn checksum(key: &Key, json: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(key.0);
    hash.update(json);
    Key(hash.finalize().into()).to_string()
}

/// A file of the cache.
struct StoredFile {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

/// The entries of a directory; none where it does not exist.
fn read_dir(dir: &Path) -> io::Result<Vec<io::Result<fs::DirEntry>>> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries.collect()),
        Err(error) if input::is_missing(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The files of one directory.
fn files_of_shard(shard: &Path) -> io::Result<Vec<StoredFile>> {
    let mut files = Vec::new();
    for entry in read_dir(shard)? {
        let entry = entry?;
        // Another process may have removed it meanwhile.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            files.push(StoredFile { path: entry.path(), size: metadata.len(), used: metadata.modified()? });
        }
    }
    Ok(files)
}

/// Removes the least recently used files of a directory until the rest has at most `share` bytes.
fn remove_least_recently_used(shard: &Path, share: u64) -> io::Result<()> {
    let mut files = files_of_shard(shard)?;
    let mut size: u64 = files.iter().map(|file| file.size).sum();
    if size <= share {
        return Ok(());
    }
    files.sort_by_key(|file| file.used);
    for file in files {
        if size <= share {
            break;
        }
        // Removing fails if another process has removed the file already.
        let _ = fs::remove_file(&file.path);
        size -= file.size;
    }
    Ok(())
}

impl Entry {
    fn new(answer: &Response, now: SystemTime) -> Self {
        let Response {
            id,
            model,
            text,
            logprobs,
            reasoning,
            reasoning_signature,
            tool_calls,
            missing: _,
            usage,
            finish,
        } = answer.clone();
        Self {
            at: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            id,
            model,
            text,
            logprobs,
            reasoning,
            signature: reasoning_signature,
            tool_calls,
            input: usage.input,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            output: usage.output,
            reasoning_tokens: usage.reasoning,
            cost: usage.cost,
            finish,
            cache_write_hour: usage.cache_write_hour,
            surcharge: usage.surcharge,
            passed: None,
        }
    }
}

impl From<Entry> for Response {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            model: entry.model,
            text: entry.text,
            logprobs: entry.logprobs,
            reasoning: entry.reasoning,
            reasoning_signature: entry.signature,
            tool_calls: entry.tool_calls,
            missing: None,
            usage: Usage {
                input: entry.input,
                cache_read: entry.cache_read,
                cache_write: entry.cache_write,
                output: entry.output,
                reasoning: entry.reasoning_tokens,
                cache_write_hour: entry.cache_write_hour,
                cost: entry.cost,
                surcharge: entry.surcharge,
            },
            finish: entry.finish,
        }
    }
}
