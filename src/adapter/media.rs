//! The names of pictures, documents and recordings in the wire formats: data URLs and audio formats.

use percent_encoding::percent_decode_str;

use crate::chat::{MediaKind, begins_as_picture, decode_base64};

/// A `data:` URL of base64 content.
pub(super) fn data_url(media_type: &str, base64: &str) -> String {
    format!("data:{media_type};base64,{base64}")
}

/// The media type and the base64 content of a `data:` URL; `None` if it is anything else.
pub(super) fn parse_data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}

/// The media type that a `data:` URL says; `None` for any other URL.
pub(super) fn data_type(url: &str) -> Option<&str> {
    let (scheme, rest) = url.trim_start().split_once(':')?;
    scheme.eq_ignore_ascii_case("data").then(|| rest.split([';', ',']).next().unwrap_or_default())
}

/// Whether base64 content is a picture, by its beginning.
pub(super) fn is_picture_content(base64: &str) -> bool {
    let start: String = base64.chars().filter(|letter| !letter.is_ascii_whitespace()).take(24).collect();
    decode_base64(&start).is_some_and(|bytes| begins_as_picture(&bytes))
}

/// Whether there is a picture behind the URL, as far as its scheme and its ending say so, or the beginning of the content in it.
pub(super) fn picture_by_url(url: &str) -> Option<bool> {
    if let Some(media_type) = data_type(url) {
        let content = url.split_once(',').map_or("", |(_, content)| content);
        let beginning: String = content.chars().take(96).collect();
        let beginning = percent_decode_str(&beginning).decode_utf8_lossy();
        return Some(MediaKind::of(media_type) == MediaKind::Picture && is_picture_content(&beginning));
    }
    let path = url.split_once("://").map_or(url, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let path = percent_decode_str(path.split(['?', '#']).next().unwrap_or_default()).decode_utf8_lossy();
    let (_, ending) = path.trim().trim_end_matches('/').rsplit_once('.')?;
    MediaKind::by_ending(ending).map(|kind| kind == MediaKind::Picture)
}

/// OpenAI's name for an audio format: `audio/mpeg` → `mp3`.
pub(super) fn audio_format(media_type: &str) -> &str {
    match media_type {
        "audio/mpeg" => "mp3",
        "audio/x-wav" | "audio/wave" => "wav",
        other => other.strip_prefix("audio/").unwrap_or(other),
    }
}

/// The media type behind OpenAI's name: `mp3` → `audio/mpeg`.
pub(super) fn audio_media_type(format: &str) -> String {
    match format {
        "mp3" => "audio/mpeg".into(),
        other => format!("audio/{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_read_back() {
        assert_eq!(parse_data_url(&data_url("image/png", "QUJD")), Some(("image/png", "QUJD")));
        assert_eq!(parse_data_url("https://example.com/a.png"), None);
        assert_eq!(parse_data_url("data:text/plain,hello"), None);
    }

    #[test]
    fn a_url_is_of_a_picture_unless_it_says_otherwise() {
        for (url, is_picture) in [
            ("https://x/a.PNG?size=1", Some(true)),
            ("https://x/a%2ejpg#b", Some(true)),
            ("data:image/webp;base64,UklGRiQAAABXRUJQ", Some(true)),
            ("data:IMAGE/gif;base64,R0lGODlh", Some(true)),
            ("data:image/png,x", Some(false)),
            ("https://x/a", None),
            ("https://x.mp4", None),
            ("https://x/watch?v=1.png", None),
            ("https://x/film.mp4", Some(false)),
            ("https://x/film.mp%34?a=b.png", Some(false)),
            ("https://x/a.pdf/", Some(false)),
            ("data:video/mp4;base64,QUJD", Some(false)),
            (" DATA:text/plain,hello", Some(false)),
            ("data:;base64,QUJD", Some(false)),
        ] {
            assert_eq!(picture_by_url(url), is_picture, "{url}");
        }
    }

    #[test]
    fn audio_formats_read_back() {
        for media_type in ["audio/mpeg", "audio/wav", "audio/flac"] {
            assert_eq!(audio_media_type(audio_format(media_type)), media_type);
        }
    }
}
