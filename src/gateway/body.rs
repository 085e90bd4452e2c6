//! The body of a response, within a limit.

use reqwest::Response;

/// Adds the rest of a body to what has come of it, until it is longer than `most` bytes. Returns whether it is whole. What came
/// before an error, or before whoever waits has enough, stays.
///
/// # Errors
/// The body breaks off.
pub(super) async fn read(response: &mut Response, body: &mut Vec<u8>, most: usize) -> reqwest::Result<bool> {
    while body.len() <= most {
        let Some(chunk) = response.chunk().await? else { return Ok(true) };
        body.extend_from_slice(&chunk);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_beginning_of_a_body_that_is_too_long_is_there() {
        for (length, most, is_whole) in [(0, 0, true), (10, 10, true), (11, 10, false), (100_000, 65_536, false)] {
            // All of it comes at once.
            let mut response = Response::from(http::Response::new("x".repeat(length)));
            let mut body = Vec::new();
            assert_eq!(read(&mut response, &mut body, most).await.expect("nothing breaks off"), is_whole);
            assert_eq!(body.len(), length);
        }
        let mut begun = b"what came before".to_vec();
        let mut response = Response::from(http::Response::new(", and the rest"));
        assert!(read(&mut response, &mut begun, 100).await.expect("nothing breaks off"));
        assert_eq!(begun, b"what came before, and the rest");
    }
}
