//! How the streams of a PDF are encoded.

/// Whether this begins as compressed content does: two bytes that are a multiple of 31, and the method in the first.
pub(super) fn is_zlib(content: &[u8]) -> bool {
    matches!(content, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

/// What is written in ASCII85, which ends with `~>`.
pub(super) fn ascii85(text: &[u8]) -> Option<Vec<u8>> {
    let letters = text.trim_ascii_end().strip_suffix(b"~>")?;
    let (mut bytes, mut group, mut length) = (Vec::with_capacity(letters.len() / 5 * 4), 0_u32, 0);
    for letter in letters {
        match letter {
            b'z' if length == 0 => bytes.extend([0; 4]),
            b'!'..=b'u' => {
                group = group.wrapping_mul(85).wrapping_add(u32::from(letter - b'!'));
                length += 1;
                if length == 5 {
                    bytes.extend(group.to_be_bytes());
                    (group, length) = (0, 0);
                }
            }
            letter if letter.is_ascii_whitespace() => {}
            _ => return None,
        }
    }
    if length > 1 {
        let padded = (length..5).fold(group, |group, _| group.wrapping_mul(85).wrapping_add(84));
        bytes.extend(&padded.to_be_bytes()[..length - 1]);
    }
    Some(bytes)
}

/// What is written in hexadecimal digits, which end with `>`.
pub(super) fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.trim_ascii_end().strip_suffix(b">")?.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Option<Vec<u8>> = digits.map(|digit| Some(char::from(*digit).to_digit(16)? as u8)).collect();
    Some(digits?.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_letters_is_read() {
        assert_eq!(ascii85(b"87cURD]i,\"Eb o80~>").as_deref(), Some(&b"Hello World!"[..]));
        assert_eq!(ascii85(b"z!!~>").as_deref(), Some(&[0; 5][..]));
        assert_eq!(
            (ascii85(b"87cUR"), ascii85(b"\xff~>"), hex(b"4x>"), hex(b"4>")),
            (None, None, None, Some(vec![0x40]))
        );
    }
}
