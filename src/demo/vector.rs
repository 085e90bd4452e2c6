//! Vectors of the demo models: texts with the same words have similar vectors, on every machine and in every version.

use sha2::{Digest, Sha256};

/// The dimensions of a vector where the request names none.
pub(super) const USUAL: usize = 256;
/// The most dimensions, as of OpenAI's largest model.
pub(super) const MOST: usize = 3072;

/// The bytes of a hash that make one component.
const COMPONENT: usize = 4;

/// The vector of a text with these words, of length 1. Each word has a vector made from its hash, and the text has
/// their sum. Fewer dimensions give the beginning of the same vector, scaled to length 1 again.
pub(super) fn of<W: AsRef<str>>(words: impl IntoIterator<Item = W>, dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f64; dimensions];
    for word in words {
        let word = Sha256::new().chain_update(word.as_ref().trim().to_lowercase());
        let components = (0_u32..).flat_map(|block| {
            let hash: [u8; 32] = word.clone().chain_update("\n").chain_update(block.to_le_bytes()).finalize().into();
            hash.as_chunks::<COMPONENT>().0.iter().map(|bytes| component(*bytes)).collect::<Vec<_>>()
        });
        for (place, component) in sum.iter_mut().zip(components) {
            *place += component;
        }
    }
    let length = sum.iter().map(|component| component * component).sum::<f64>().sqrt();
    sum.into_iter().map(|component| if length > 0.0 { component / length } else { 0.0 } as f32).collect()
}

/// A number from -1 to 1.
fn component(bytes: [u8; COMPONENT]) -> f64 {
    f64::from(i32::from_le_bytes(bytes)) / f64::from(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(text: &str, dimensions: usize) -> Vec<f32> {
        of(text.split(' '), dimensions)
    }

    fn product(one: &[f32], other: &[f32]) -> f32 {
        one.iter().zip(other).map(|(one, other)| one * other).sum()
    }

    #[test]
    fn texts_with_the_same_words_have_similar_vectors_of_length_one() {
        let [cat, cats, rain] = ["the cat sat", "The cat sat down", "it rains"].map(|text| vector(text, USUAL));
        assert_eq!(cat, vector("the cat sat", USUAL));
        assert!((product(&cat, &cat) - 1.0).abs() < 1e-5);
        assert!(product(&cat, &cats) > 0.7, "{}", product(&cat, &cats));
        assert!(product(&cat, &rain).abs() < 0.3, "{}", product(&cat, &rain));
    }

    #[test]
    fn fewer_dimensions_are_the_beginning_of_the_same_vector() {
        let (long, short) = (vector("a cat", MOST), vector("a cat", 3));
        assert_eq!((long.len(), short.len()), (MOST, 3));
        let scale = long[0] / short[0];
        for (long, short) in long.iter().zip(&short) {
            assert!((short * scale - long).abs() < 1e-5);
        }
    }
}
