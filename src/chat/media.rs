use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 with or without the signs that fill it up.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a file is, by its media type or the ending of its name. Its price depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// Pictures have a usual size.
    Picture,
    /// Neither the length of a film nor its price follows from its bytes.
    Film,
    /// A recording of sound.
    Recording,
    /// A PDF.
    Pdf,
    /// Anything else, which may be a text.
    Other,
}

/// The bytes of base64, in either of its alphabets, also of one with line ends or spaces in it; `None` if it is none.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let letters = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let usual = |byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    BASE64.decode(letters.map(usual).collect::<Vec<u8>>()).ok()
}

/// The media type of a picture that models are sent, by its first bytes.
pub fn picture_type(bytes: &[u8]) -> Option<&'static str> {
    let is = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    Some(match bytes {
        _ if is(0, b"\x89PNG\r\n\x1a\n") => "image/png",
        _ if is(0, b"\xff\xd8\xff") => "image/jpeg",
        _ if is(0, b"GIF87a") || is(0, b"GIF89a") => "image/gif",
        _ if is(0, b"RIFF") && is(8, b"WEBP") => "image/webp",
        _ => return None,
    })
}

/// Whether these are the first bytes of a picture, also of a kind that few models take.
pub fn begins_as_picture(bytes: &[u8]) -> bool {
    // Films have the same container as some pictures, and other brands in it.
    let is_brand = |brand: &[u8]| {
        let of_pictures = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"];
        of_pictures.iter().any(|it| *it == brand)
    };
    let starts = [&b"BM"[..], b"II*\0", b"MM\0*", b"\0\0\x01\0"];
    picture_type(bytes).is_some()
        || starts.iter().any(|start| bytes.starts_with(start))
        || bytes.get(4..8) == Some(b"ftyp") && bytes.get(8..12).is_some_and(is_brand)
}

impl MediaKind {
    /// What a media type says.
    pub fn of(media_type: &str) -> Self {
        let kinds = [
            ("image/", Self::Picture),
            ("video/", Self::Film),
            ("audio/", Self::Recording),
            ("application/pdf", Self::Pdf),
        ];
        let begins_with = |start: &str| {
            let begin = media_type.trim_start().get(..start.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(start))
        };
        kinds.into_iter().find(|(start, _)| begins_with(start)).map_or(Self::Other, |(_, kind)| kind)
    }

    /// What the ending of a name says, without its dot and in any case; `None` if it says nothing.
    pub fn by_ending(ending: &str) -> Option<Self> {
        Some(match &*ending.to_ascii_lowercase() {
            "apng" | "avif" | "bmp" | "gif" | "heic" | "heif" | "ico" | "jfif" | "jpeg" | "jpg" | "png" | "svg"
            | "tiff" | "webp" => Self::Picture,
            "3gp" | "avi" | "flv" | "m2ts" | "m3u8" | "m4v" | "mkv" | "mov" | "mp4" | "mpeg" | "mpg" | "mts"
            | "ogv" | "webm" | "wmv" => Self::Film,
            "aac" | "aif" | "aiff" | "amr" | "flac" | "m4a" | "mid" | "mp3" | "oga" | "ogg" | "opus" | "wav"
            | "wma" => Self::Recording,
            "pdf" => Self::Pdf,
            "7z" | "csv" | "doc" | "docx" | "epub" | "gz" | "json" | "md" | "odp" | "ods" | "odt" | "ppt" | "pptx"
            | "rtf" | "tar" | "txt" | "xls" | "xlsx" | "xml" | "zip" => Self::Other,
            _ => return None,
        })
    }
}
