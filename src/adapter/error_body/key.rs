//! Whether a message says that the key is wrong or missing. Every gateway has words of its own for that.

/// A message that is about the key says so after no more than so many characters.
const FAR: usize = 40;

/// As many words may stand before a clause that is about the key: `Error code: 401: …`.
const LONGEST_OPENING: usize = 3;

/// As many words may stand between a key and a complaint that comes before it.
const BEFORE: usize = 2;

/// As many words behind a key may hold a complaint: `API key included in the request is invalid`.
const BEHIND: usize = 6;

/// As many words may stand between `not` and what is denied: `could not be found`.
const DENIED_WITHIN: usize = 2;

/// Whether this message says that the key is wrong or missing.
pub(super) fn is_refused_by(message: &str) -> bool {
    if is_about_a_field(message) {
        return false;
    }
    let lower = message.to_lowercase();
    let lower = lower.strip_prefix("error: ").unwrap_or(&lower);
    let message = plain(lower);
    is_whole(&message) || names_header(&message) || complains(&plain(&outside_of_quotes(lower)))
}

/// The message with one spelling for each word.
fn plain(message: &str) -> String {
    message.replace(['-', '_'], " ").replace('’', "'").replace("n't", " not").replace("apikey", "api key")
}

/// Whether the message is nothing but words that mean something else within a sentence, or begins with a clause of such words.
fn is_whole(message: &str) -> bool {
    let whole = message.trim_end_matches('.');
    let opening = clauses(message).next().unwrap_or_default();
    let mut opening = opening.into_iter().map(|(_, word)| word).skip_while(|word| word.parse::<u16>().is_ok());
    let is_refusal = match opening.next() {
        Some("unauthorized" | "unauthenticated") => true,
        Some("not") => opening.next() == Some("authenticated"),
        _ => false,
    };
    matches!(whole, "invalid token" | "invalid key")
        || is_refusal && opening.all(|word| ["access", "client", "error", "request", "user"].contains(&word))
}

/// FastAPI, where a header is missing.
fn names_header(message: &str) -> bool {
    ["header.authorization:", "header.x api key:", "header.api key:"].iter().any(|name| message.starts_with(name))
}

/// `messages.0.content: …`, `contents[0]: …`
fn is_about_a_field(message: &str) -> bool {
    let name = message.split_once(": ").map_or("", |(name, _)| name);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.split(['.', '[', ']']);
    // `[401]: …`, `Error[1001]: …`
    let is_field = parts.next().is_some_and(|field| !field.is_empty() && !field.to_lowercase().contains("err"));
    is_field && !name.contains(' ') && parts.any(is_number)
}

/// The message without what stands in quotes, where it may repeat what was asked: a name is left out, and of what is longer all that
/// follows, since it may hold quotes itself.
fn outside_of_quotes(message: &str) -> String {
    const LONGEST_NAME: usize = 64;
    let mut outside = String::new();
    let mut rest = message;
    while let Some((at, closing)) = next_quote(rest) {
        outside.push_str(&rest[..at]);
        let quoted = rest[at..].trim_start_matches(|letter| closing_of(letter).is_some());
        match quoted.split_once(closing) {
            Some((name, behind)) if name.len() <= LONGEST_NAME && is_name(name) => rest = behind,
            _ => return outside,
        }
    }
    outside + rest
}

/// Whether this is one word, and not the path of a field, of which the rest of the message speaks.
fn is_name(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let is_path = text.contains(['[', ']']) || text.contains('.') && text.split('.').all(is_part);
    !is_path && !text.contains(char::is_whitespace)
}

/// The place of the first quote, and what closes it.
fn next_quote(text: &str) -> Option<(usize, char)> {
    let mut before = ' ';
    text.char_indices().find_map(|(at, letter)| {
        let before = std::mem::replace(&mut before, letter);
        // Behind a letter it is an apostrophe.
        let is_apostrophe = letter == '\'' && before.is_alphanumeric();
        Some((at, closing_of(letter).filter(|_| !is_apostrophe)?))
    })
}

fn closing_of(quote: char) -> Option<char> {
    match quote {
        '"' | '`' | '\'' => Some(quote),
        '“' | '„' => Some('”'),
        '«' => Some('»'),
        '‘' => Some('’'),
        _ => None,
    }
}

fn complains(message: &str) -> bool {
    PHRASES.iter().any(|phrase| message.find(phrase).is_some_and(|at| message[..at].chars().count() <= FAR))
        // What a longer clause before it says is what the message is about: `Failed to download image: …`.
        || clauses(message)
            .scan(true, |is_open, clause| {
                let is_first = std::mem::replace(is_open, *is_open && clause.len() <= LONGEST_OPENING);
                is_first.then_some(clause)
            })
            .any(|clause| complains_of_key(&clause) || has_ended(&clause) || cannot_authenticate(&clause))
}

/// The words of each clause, with the place of each in the message.
fn clauses(message: &str) -> impl Iterator<Item = Vec<(usize, &str)>> {
    let mut at = 0;
    message.split_inclusive(['.', ',', ':', ';', '!', '?', '\n']).map(move |clause| {
        let words = clause.split_inclusive(|letter: char| !letter.is_alphanumeric()).map(|word| {
            let place = at;
            at += word.len();
            (place, word.trim_end_matches(|letter: char| !letter.is_alphanumeric()))
        });
        words.filter(|(_, word)| !word.is_empty()).collect()
    })
}

/// Whether the first key that a clause names is complained of, by the words before it or behind it.
fn complains_of_key(clause: &[(usize, &str)]) -> bool {
    let words: Vec<&str> = clause.iter().map(|(_, word)| *word).collect();
    let key = |at: usize| Some((at, at + length_of_key(&words[at..])?));
    let Some((key, end)) = (0..words.len()).find_map(key) else { return false };
    // `Missing authorization header for MCP server x` is about another server.
    if words.get(end).is_some_and(|word| ["for", "from", "of"].contains(word)) {
        return false;
    }
    let adjoins = key.checked_sub(1).is_some_and(|before| COMPLAINTS_BEFORE.contains(&words[before]))
        || words.get(end).is_some_and(|behind| COMPLAINTS_BEHIND.contains(behind));
    // Another model may be allowed, or may have something left.
    if !adjoins && words.iter().any(|word| OTHER_SUBJECTS.contains(word)) {
        return false;
    }
    let start = complaint_before(&words[..key])
        .or_else(|| (asks_for(&words[..key]) || has_complaint(&words[end..])).then_some(key));
    start.is_some_and(|start| clause[start].0 <= FAR)
}

/// Whether a clause begins with a key that is at its end: `This key is disabled`. Alone, `key` and `token` may mean something else.
fn has_ended(clause: &[(usize, &str)]) -> bool {
    let mut words = clause.iter().map(|(_, word)| *word).skip_while(|word| BEFORE_ALONE.contains(word));
    let Some(noun @ ("key" | "token")) = words.next() else { return false };
    // Behind the name of a field, it is a token of a text.
    let is_token = noun == "token" && clause[0].0 == 0;
    words.next().is_some_and(|verb| matches!(verb, "is" | "was" | "has"))
        && words
            .find(|word| !matches!(*word, "been" | "already" | "now"))
            .is_some_and(|word| ENDED.contains(&word) || is_token && matches!(word, "incorrect" | "invalid"))
}

/// Whether a clause says that whoever asks could not be recognized, and nobody else: `failed to authenticate the request`.
fn cannot_authenticate(clause: &[(usize, &str)]) -> bool {
    let words: Vec<&str> = clause.iter().map(|(_, word)| *word).collect();
    let Some(verb) = words.iter().position(|word| matches!(*word, "authenticate" | "authenticated")) else {
        return false;
    };
    let (before, behind) = (&words[..verb], &words[verb + 1..]);
    let fails = before.iter().any(|word| FAILS.contains(word));
    let is_ours = if words[verb] == "authenticated" {
        before.iter().all(|word| FAILS.contains(word)) || before.iter().any(|word| ASKERS.contains(word))
    } else {
        let object = behind.iter().find(|word| !BEFORE_ALONE.contains(word));
        object.is_none_or(|word| ASKERS.contains(word) || ["because", "due", "since"].contains(word))
    };
    let names_key = || (0..behind.len()).any(|at| length_of_key(&behind[at..]).is_some());
    fails && clause[0].0 <= FAR && (is_ours || names_key())
}

/// Whether these words, before a key, ask for one: `please provide a valid`.
fn asks_for(words: &[&str]) -> bool {
    let is_article = |word: &&&str| matches!(**word, "a" | "an" | "the" | "your" | "valid" | "correct" | "working");
    let mut before = words.iter().rev().skip_while(is_article);
    let Some(verb) = before.next() else { return false };
    let is_clear = matches!(*verb, "provide" | "pass" | "supply" | "specify" | "enter");
    match before.next() {
        Some(&"please" | &"must" | &"should") => is_clear || *verb == "include",
        Some(&"to") => is_clear && before.next().is_some_and(|word| matches!(*word, "need" | "have" | "sure")),
        Some(_) => false,
        None => is_clear,
    }
}

/// How many of the words that come next name a key.
fn length_of_key(words: &[&str]) -> Option<usize> {
    let kinds = words.iter().take_while(|word| KINDS.contains(word) || OWNERS.contains(word)).count();
    let is_of_owner = || kinds.checked_sub(1).is_some_and(|last| OWNERS.contains(&words[last]));
    match words.get(kinds) {
        Some(&"header") if is_of_owner() => None,
        Some(&"key" | &"keys" | &"token" | &"header") if kinds > 0 => Some(kinds + 1),
        Some(&"credential" | &"credentials" | &"jwt") => Some(kinds + 1),
        _ => (words.first() == Some(&"authentication")).then_some(1),
    }
}

/// Where the complaint stands that these words end with, before a key.
fn complaint_before(words: &[&str]) -> Option<usize> {
    let near = words.len().saturating_sub(BEFORE + 1)..words.len();
    let found = near.rev().take_while(|at| !LINKS.contains(&words[*at]));
    let is_complaint = |at: &usize| {
        COMPLAINTS_BEFORE.contains(&words[*at])
            // `You did not provide an API key`
            || matches!(words[*at], "provide" | "validate" | "verify" | "find") && at.checked_sub(1).is_some_and(|at| words[at] == "not")
    };
    found.into_iter().find(is_complaint)
}

/// Whether these words, which stand behind a key, complain of it.
fn has_complaint(words: &[&str]) -> bool {
    let near = &words[..words.len().min(BEHIND)];
    // `appears to be invalid`
    let is_link = |at: &usize| LINKS.contains(&near[*at]) && (near[*at], near.get(at + 1)) != ("to", Some(&"be"));
    let link = (0..near.len()).find(is_link).unwrap_or(near.len());
    let near = &near[..link];
    let is_denied = |at: usize| {
        // `no longer valid`
        matches!(near[at], "not" | "cannot" | "longer")
            && near[at + 1..].iter().take(DENIED_WITHIN).any(|word| DENIED.contains(word))
    };
    near.iter().any(|word| COMPLAINTS_BEHIND.contains(word)) || (0..near.len()).any(is_denied)
}

/// What stands before the word for a key: `API key`, `access token`, `proxy server token`.
const KINDS: [&str; 14] = [
    "access",
    "api",
    "auth",
    "authentication",
    "authorization",
    "basic",
    "bearer",
    "id",
    "private",
    "proxy",
    "secret",
    "security",
    "server",
    "subscription",
];

/// What says whose key it is, or what it is for: `virtual key`, `organization token`.
const OWNERS: [&str; 14] = [
    "account",
    "admin",
    "app",
    "application",
    "developer",
    "gateway",
    "license",
    "master",
    "organization",
    "personal",
    "project",
    "session",
    "team",
    "virtual",
];

/// What is wrong with a key, said before it: `an invalid key`.
const COMPLAINTS_BEFORE: [&str; 25] = [
    "bad",
    "banned",
    "blocked",
    "deactivated",
    "deleted",
    "disabled",
    "empty",
    "expired",
    "inactive",
    "incorrect",
    "invalid",
    "invalidated",
    "leaked",
    "malformed",
    "missing",
    "no",
    "rejected",
    "revoked",
    "suspended",
    "unauthorized",
    "unknown",
    "unrecognised",
    "unrecognized",
    "unregistered",
    "wrong",
];

/// What is wrong with a key, said behind it: `the key is invalid`.
const COMPLAINTS_BEHIND: [&str; 31] = [
    "bad",
    "badly",
    "banned",
    "blocked",
    "deactivated",
    "deleted",
    "disabled",
    "empty",
    "expired",
    "failed",
    "improperly",
    "inactive",
    "incorrect",
    "incorrectly",
    "invalid",
    "invalidated",
    "leaked",
    "malformed",
    "mismatch",
    "missing",
    "rejected",
    "required",
    "revoked",
    "suspended",
    "terminated",
    "unauthorized",
    "unknown",
    "unrecognised",
    "unrecognized",
    "unregistered",
    "wrong",
];

/// What says, before `authenticate`, that it has not been done.
const FAILS: [&str; 8] = ["be", "cannot", "failed", "must", "need", "not", "please", "unable"];

/// Who asks a gateway.
const ASKERS: [&str; 7] = ["account", "caller", "client", "request", "requests", "user", "you"];

/// What may stand before a key that nothing else names.
const BEFORE_ALONE: [&str; 7] = ["the", "this", "your", "that", "provided", "given", "supplied"];

/// What ends a key.
const ENDED: [&str; 10] = [
    "banned",
    "blocked",
    "deactivated",
    "deleted",
    "disabled",
    "expired",
    "inactive",
    "invalidated",
    "revoked",
    "suspended",
];

/// What is complained of if it is denied: `not valid`, `does not exist`.
const DENIED: [&str; 19] = [
    "accepted",
    "active",
    "authenticated",
    "correct",
    "enabled",
    "exist",
    "found",
    "given",
    "match",
    "present",
    "provided",
    "recognised",
    "recognized",
    "set",
    "specified",
    "supplied",
    "valid",
    "validated",
    "verified",
];

/// What stands between a key and something else that is complained of.
const LINKS: [&str; 13] =
    ["access", "argument", "by", "field", "for", "from", "lacks", "of", "on", "parameter", "property", "to", "with"];

/// What a key may lack although it is the right one.
const OTHER_SUBJECTS: [&str; 18] = [
    "balance",
    "budget",
    "credit",
    "credits",
    "limit",
    "limits",
    "model",
    "models",
    "permission",
    "permissions",
    "plan",
    "quota",
    "rate",
    "region",
    "role",
    "scope",
    "scopes",
    "usage",
];

/// What gateways say of a key in words that no rule finds, in small letters, with a space for each `-` and `_`.
const PHRASES: [&str; 23] = [
    "authentication error",
    "authentication fail",
    "api key must be given",
    "api key must be provided",
    "api key must be set",
    "api key must be specified",
    "api key must start with",
    "api secret key",
    "credential is only authorized for",
    "multiple authentication credentials",
    "authorization field missing",
    "authorization header is correct",
    "could not validate credentials",
    "to authenticate request",
    "invalid format for authorization header",
    "invalid username or password",
    // One API and its many copies.
    "该令牌",
    "无效的令牌",
    "密钥无效",
    "api key 无效",
    "鉴权失败",
    "无法进行身份验证",
    "身份验证失败",
];
