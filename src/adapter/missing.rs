//! Parts of answers that have no form here, and so can neither be shown nor put into another wire format. Only those are named
//! that are answers: what vendors report of their own tools is not.

pub(super) const PICTURE: &str = "a picture";
pub(super) const RECORDING: &str = "a recording";
pub(super) const FILE: &str = "a file";
/// Not by name and arguments in JSON.
pub(super) const OTHER_CALL: &str = "a call of a tool that is no function";

/// As Gemini sends one, if its arguments are asked for as a stream.
pub(super) const CALL_IN_PIECES: &str = "a function call in pieces";

/// Media of this type.
pub(super) fn media(mime_type: &str) -> &'static str {
    match mime_type.split('/').next() {
        Some("image") => PICTURE,
        Some("audio") => RECORDING,
        _ => FILE,
    }
}

/// A part of a message of one of OpenAI's formats; `None` where its type is one of a text, or unknown.
pub(super) fn of_part(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "image" | "image_url" | "output_image" => PICTURE,
        "audio" | "audio_url" | "input_audio" | "output_audio" => RECORDING,
        "file" | "output_file" | "video_url" => FILE,
        _ => return None,
    })
}

/// An item of a response, if it is an answer, or asks the client to do something.
pub(super) fn of_item(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "image_generation_call" => PICTURE,
        "custom_tool_call"
        | "computer_call"
        | "local_shell_call"
        | "shell_call"
        | "apply_patch_call"
        | "mcp_approval_request" => OTHER_CALL,
        _ => return None,
    })
}
