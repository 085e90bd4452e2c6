//! `-f`: files, directories, stdin and URLs that go with a prompt.

use std::path::Path;
use std::time::Duration;

use super::{Context, process, request};
use crate::attachment::{self, Directory};
use crate::chat::Part;
use crate::cli::PromptArgs;
use crate::error::Error;
use crate::gateway::web::{self, Page};
use crate::prompt;
use crate::report::format::{count, size};
use crate::run::Notices;

/// Bytes of text that are about one token.
const BYTES_PER_TOKEN: u64 = 4;

/// Reads everything that `-f` names.
///
/// # Errors
/// Something cannot be read, or is of no kind that can be attached.
pub(super) fn read(context: &Context, args: &PromptArgs) -> Result<Vec<Part>, Error> {
    if args.file.iter().filter(|path| *path == "-").count() > 1 {
        return Err(Error::usage("-f - names stdin, which can be read only once"));
    }
    let patience = request::timeout(args.timeout.as_deref())?;
    let mut parts = Vec::new();
    for name in &args.file {
        match name.as_str() {
            "-" => parts.push(attachment::part("stdin", prompt::stdin_bytes(|text| context.urgent(text))?)?),
            name => parts.extend(named(context, name, args.dry_run, patience)?),
        }
        attachment::check_sum(parts.iter().map(attachment::size).sum())?;
    }
    Ok(parts)
}

/// Reads a file, the texts of a directory, or what a URL leads to. The writer of a pipe and a page of the web are waited for so
/// long at most; `None` is no limit of the user's.
///
/// # Errors
/// It cannot be read, or is of no kind that can be attached.
pub(super) fn named(
    context: &Context,
    name: &str,
    dry_run: bool,
    patience: Option<Duration>,
) -> Result<Vec<Part>, Error> {
    if attachment::is_url(name) {
        Ok(vec![url(context, name, dry_run, patience)?])
    } else if Path::new(name).is_dir() {
        directory(context, name)
    } else if context.settings.is_own_file(Path::new(name)) {
        let message = format!("{name} is a file of llm itself, and may hold keys: it is not attached");
        Err(Error::usage_hint(message, "stdin takes it: llm \"PROMPT\" < FILE"))
    } else {
        Ok(vec![attachment::read(Path::new(name), patience)?])
    }
}

/// The texts of a directory, after a notice of what they are: nobody should send a whole disk by mistake.
fn directory(context: &Context, name: &str) -> Result<Vec<Part>, Error> {
    let is_own = |path: &Path| context.settings.is_own_file(path);
    let Directory { texts, size: bytes, left_out, kept_out } = attachment::directory(Path::new(name), &is_own)?;
    for path in kept_out {
        context.urgent(&format!("{} is left out: it is a file of llm itself, and may hold keys", path.display()));
    }
    if texts.is_empty() {
        return Err(Error::usage(format!("{name} holds no text file that can be attached")));
    }
    let files = count(texts.len() as u64, "file", "files");
    let tokens = count(bytes / BYTES_PER_TOKEN, "token", "tokens");
    let others = match left_out {
        0 => String::new(),
        others => {
            format!("; {} left out", count(others as u64, "file that is no text is", "files that are no text are"))
        }
    };
    context.urgent(&format!("{name}: {files}, {}, about {tokens}{others}", size(bytes)));
    Ok(texts)
}

/// What the URL leads to. Images are fetched by the model's provider, everything else here.
fn url(context: &Context, url: &str, dry_run: bool, patience: Option<Duration>) -> Result<Part, Error> {
    let address = attachment::address(url)?;
    let path = address.path().to_lowercase();
    if [".png", ".jpg", ".jpeg", ".gif", ".webp"].iter().any(|ending| path.ends_with(ending)) {
        return Ok(attachment::image_at(url));
    }
    let name = web::shown(&address);
    if dry_run {
        context.notice(&format!("--dry-run fetches nothing: the text of {name} is not in the request below"));
        return attachment::part(&name, b"(not fetched)".to_vec());
    }
    match process::runtime()?.block_on(web::page(&address, &context.settings.env, patience))? {
        Page::Image => Ok(attachment::image_at(url)),
        Page::Text(text, from) => {
            let from = from.map(|from| format!(", from {from}")).unwrap_or_default();
            context.notice(&format!("{name}: {}{from}", size(text.len() as u64)));
            attachment::part(&name, text.into_bytes())
        }
    }
}
