//! Estimates of the tokens of pictures, recordings and files.

use std::cell::Cell;

use super::{archive, document};
use crate::chat::{Audio, File, Image, ImageSource, MediaKind, decode_base64};

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count<'a> {
    /// The tokens of a picture.
    picture: u64,
    /// Where as many tokens are counted as there may be, and not about as many as there are.
    most: Option<Left<'a>>,
}

/// How many bytes may still be decompressed of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) documents: &'a Cell<u64>,
    pub(super) archives: &'a Cell<u64>,
}

impl<'a> Count<'a> {
    /// About as many tokens as there are for this model.
    pub(super) fn about(model: &str) -> Self {
        Self { picture: picture(model), most: None }
    }

    /// As many as there may be.
    pub(super) fn most(model: &str, left: Left<'a>) -> Self {
        Self { picture: picture(model), most: Some(left) }
    }

    /// The tokens of what is sent as an image.
    pub(super) fn image(self, image: &Image) -> u64 {
        match &image.source {
            ImageSource::Data { media_type, base64 } if MediaKind::of(media_type) != MediaKind::Picture => {
                file(media_type, base64, self)
            }
            ImageSource::Url(_) | ImageSource::Data { .. } => self.in_detail(image.detail.as_deref()),
        }
    }

    /// The tokens of a file.
    pub(super) fn file(self, it: &File) -> u64 {
        let is_other = it.name.as_deref().is_some_and(|name| is_named_otherwise(name, &it.media_type));
        file(if is_other { "" } else { &it.media_type }, &it.base64, self)
    }

    /// The tokens of a recording.
    pub(super) fn audio(self, audio: &Audio) -> u64 {
        recording(&audio.media_type, audio.base64.len() as u64, self)
    }

    /// The tokens of a picture that is sent in this detail.
    fn in_detail(self, detail: Option<&str>) -> u64 {
        match detail {
            None | Some("auto" | "low" | "high") => self.picture,
            Some(_) => self.picture.max(ORIGINAL),
        }
    }

    /// Bytes of text in one token. English has four or more, code and other scripts fewer.
    fn bytes_per_token(self) -> u64 {
        if self.most.is_some() { 1 } else { 4 }
    }
}

/// About the tokens of an image at full detail; gateways that count tiles charge for no more.
pub(super) const IMAGE: u64 = 1_600;

/// The models that take more for a picture, by what is in their names, and the most that they take. OpenAI bills for gpt-4o-mini
/// 2,833 tokens and 5,667 for each of at most eight tiles, by which a picture costs what it does with gpt-4o; for others, at
/// most 1,536 patches times 2.46 or 1.72, and 2,500 patches for those from gpt-5.4 on (developers.openai.com/api/docs/guides/images-vision).
const LARGE_IMAGES: [(&[&str], u64); 5] = [
    (&["gpt-4o-mini"], 48_169),
    (&["gpt-", "-nano"], 3_779),
    (&["gpt-", "-mini"], 2_642),
    (&["o4-mini"], 2_642),
    (&["gpt-5."], 2_500),
];

/// The most tokens of a picture that is sent with `detail: "original"`.
pub(super) const ORIGINAL: u64 = 10_000;

/// The tokens of a picture at full detail for this model.
fn picture(model: &str) -> u64 {
    let model = model.to_ascii_lowercase();
    let is_it = |(words, _): &&(&[&str], u64)| words.iter().all(|word| model.contains(word));
    LARGE_IMAGES.iter().find(is_it).map_or(IMAGE, |(_, tokens)| *tokens)
}

/// Characters of Base64 in about one token of a document or a recording. Only where the most tokens are counted, a document is
/// read.
const BASE64_PER_TOKEN: u64 = 60;

/// The beginning of a PDF in Base64: `%PDF-`.
const PDF: &str = "JVBERi";

/// The tokens of a recording. Where the most are counted, so many that at its usual bit rates they make up for the higher price of
/// sound: a second is 32 tokens of three times the price to Google, and 10 of sixteen times to OpenAI. Speech as messengers send it has
/// two kilobytes a second.
fn recording(media_type: &str, length: u64, count: Count<'_>) -> u64 {
    let media_type = media_type.to_ascii_lowercase();
    let is_any = |words: &[&str]| words.iter().any(|word| media_type.contains(word));
    length.div_ceil(match count.most {
        None => BASE64_PER_TOKEN,
        Some(_) if is_any(&["wav", "pcm", "l16", "aif"]) => BASE64_PER_TOKEN,
        Some(_) if is_any(&["mp3", "mpeg", "mp4", "m4a", "aac"]) => 20,
        Some(_) => 8,
    })
}

/// The tokens of a file. Whatever is not known to be something else may be a text, or a PDF if it begins as one.
fn file(media_type: &str, base64: &str, count: Count<'_>) -> u64 {
    let length = base64.len() as u64;
    let by_length = length.div_ceil(BASE64_PER_TOKEN);
    match (MediaKind::of(media_type), count.most) {
        (MediaKind::Picture, _) => by_length.max(count.picture),
        (MediaKind::Pdf, Some(left)) => document::most_tokens(base64, count.picture, left.documents),
        (MediaKind::Recording, _) => recording(media_type, length, count),
        (MediaKind::Pdf | MediaKind::Film, _) => by_length,
        (MediaKind::Other, _) => {
            let text = length.saturating_mul(3).div_ceil(4 * count.bytes_per_token());
            match count.most {
                Some(left) if base64.starts_with(PDF) => {
                    text.max(document::most_tokens(base64, count.picture, left.documents))
                }
                Some(left) => {
                    let of_archive = |file: Vec<u8>| archive::most_tokens(&file, left.archives);
                    decode_base64(base64).and_then(of_archive).unwrap_or(text)
                }
                None => text,
            }
        }
    }
}

/// Whether the ending of its name says that a document or a recording is something else: some gateways go by it.
fn is_named_otherwise(name: &str, media_type: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_ending = ending.len() <= 5
        && ending.starts_with(|first: char| first.is_ascii_alphabetic())
        && ending.chars().all(|letter| letter.is_ascii_alphanumeric());
    let named = MediaKind::by_ending(ending);
    let fits = match MediaKind::of(media_type) {
        // The same endings are those of sound alone and of sound with pictures.
        MediaKind::Recording => matches!(named, Some(MediaKind::Recording | MediaKind::Film)),
        kind @ (MediaKind::Picture | MediaKind::Pdf) => named == Some(kind),
        MediaKind::Film | MediaKind::Other => true,
    };
    is_ending && !fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_may_say_that_a_file_is_something_else() {
        let named = |name: &str, media_type: &str| is_named_otherwise(name, media_type);
        assert!(named("a.txt", "application/pdf") && named("a.PY", "audio/wav"));
        assert!(named("a.txt", "image/png") && !named("a.JPG", "image/jpeg"));
        for (name, media_type) in [
            ("a.PDF", "application/pdf"),
            ("report", "application/pdf"),
            ("The U.S. economy", "application/pdf"),
            ("Report 1.2", "application/pdf"),
            ("a.mp3", "audio/mpeg"),
        ] {
            assert!(!named(name, media_type), "{name}");
        }
    }
}
