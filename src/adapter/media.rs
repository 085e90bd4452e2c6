//! The names of pictures, documents and recordings in the wire formats: data URLs and audio formats.

/// A `data:` URL of base64 content.
pub(super) fn data_url(media_type: &str, base64: &str) -> String {
    format!("data:{media_type};base64,{base64}")
}

/// The media type and the base64 content of a `data:` URL; `None` if it is anything else.
pub(super) fn parse_data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
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
    fn audio_formats_read_back() {
        for media_type in ["audio/mpeg", "audio/wav", "audio/flac"] {
            assert_eq!(audio_media_type(audio_format(media_type)), media_type);
        }
    }
}
