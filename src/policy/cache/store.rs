//! The files of the cache: one for each answer, checked when it is read, the least used removed when there are too many.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Key;
use crate::chat::{FinishReason, Response, TokenLogprob, ToolCall, Usage};
use crate::money::Usd;
use crate::private;

/// The files lie in this many directories, each with its share of the room, so that making room stays cheap.
const SHARDS: u64 = 16;

/// Where answers are kept, how long, and how much room they get.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    ttl: Duration,
    /// In bytes.
    max_size: u64,
}

/// What is in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    pub answers: u64,
    /// In bytes.
    pub size: u64,
    /// When the least recently used of them was used.
    pub oldest: Option<SystemTime>,
}

/// An answer as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Seconds since 1970.
    at: u64,
    id: Option<String>,
    model: Option<String>,
    text: String,
    /// Answers were once kept without.
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
}

impl Store {
    pub fn new(dir: PathBuf, ttl: Duration, max_size: u64) -> Self {
        Self { dir, ttl, max_size }
    }

    /// The answer; `None` where there is none, or one that is too old, damaged or not for this key.
    pub fn get(&self, key: &Key, now: SystemTime) -> Option<Response> {
        let path = self.path(key);
        let content = fs::read(&path).ok()?;
        let entry = open(key, &content)?;
        let at = UNIX_EPOCH + Duration::from_secs(entry.at);
        if now.duration_since(at).is_ok_and(|age| age > self.ttl) {
            return None;
        }
        // Where its use cannot be noted, it is the sooner forgotten.
        let _ = File::options().write(true).open(&path).and_then(|file| file.set_modified(now));
        Some(entry.into())
    }

    /// Keeps an answer, and forgets those that were not used for longest if there is no room. A reader meets all of it
    /// or nothing.
    pub fn put(&self, key: &Key, answer: &Response, now: SystemTime) -> io::Result<()> {
        let content = seal(key, &Entry::new(answer, now))?;
        let share = self.max_size / SHARDS;
        if content.len() as u64 > share {
            return Ok(());
        }
        let path = self.path(key);
        let shard = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        private::create_dir(shard)?;
        // Temporary files are for this user's eyes alone.
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(shard)?;
        file.write_all(&content)?;
        // Not synced: what the loss of power leaves of it does not match its checksum, and is asked for anew.
        file.persist(&path).map_err(|error| error.error)?;
        make_room(shard, share)
    }

    /// How much is in it.
    pub fn stats(&self) -> io::Result<Stats> {
        let mut stats = Stats::default();
        for file in self.files()? {
            stats.answers += 1;
            stats.size += file.size;
            stats.oldest = Some(stats.oldest.map_or(file.used, |oldest| oldest.min(file.used)));
        }
        Ok(stats)
    }

    /// Forgets everything; what there was.
    pub fn clear(&self) -> io::Result<Stats> {
        let stats = self.stats()?;
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(stats),
        }
    }

    fn files(&self) -> io::Result<Vec<Kept>> {
        let mut files = Vec::new();
        for shard in read_dir(&self.dir)? {
            files.extend(kept(&shard?.path())?);
        }
        Ok(files)
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name = key.to_string();
        self.dir.join(&name[..1]).join(name)
    }
}

/// The checksum, a line of its own, then the entry. The key is part of what is summed up, so that an answer is never
/// given to another question.
fn seal(key: &Key, entry: &Entry) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(entry)?;
    Ok([checksum(key, &json).as_bytes(), b"\n", &json].concat())
}

fn open(key: &Key, content: &[u8]) -> Option<Entry> {
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
struct Kept {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

/// Nothing at all where the directory is missing.
fn read_dir(dir: &Path) -> io::Result<Vec<io::Result<fs::DirEntry>>> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries.collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn kept(shard: &Path) -> io::Result<Vec<Kept>> {
    let mut files = Vec::new();
    for entry in read_dir(shard)? {
        let entry = entry?;
        // Another process may have removed it meanwhile.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            files.push(Kept { path: entry.path(), size: metadata.len(), used: metadata.modified()? });
        }
    }
    Ok(files)
}

fn make_room(shard: &Path, share: u64) -> io::Result<()> {
    let mut files = kept(shard)?;
    let mut size: u64 = files.iter().map(|file| file.size).sum();
    if size <= share {
        return Ok(());
    }
    files.sort_by_key(|file| file.used);
    for file in files {
        if size <= share {
            break;
        }
        // Another process may be at it, too.
        let _ = fs::remove_file(&file.path);
        size -= file.size;
    }
    Ok(())
}

impl Entry {
    fn new(answer: &Response, now: SystemTime) -> Self {
        let Response { id, model, text, logprobs, reasoning, reasoning_signature, tool_calls, usage, finish } =
            answer.clone();
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
            usage: Usage {
                input: entry.input,
                cache_read: entry.cache_read,
                cache_write: entry.cache_write,
                output: entry.output,
                reasoning: entry.reasoning_tokens,
                cost: entry.cost,
            },
            finish: entry.finish,
        }
    }
}
