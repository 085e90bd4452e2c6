//! `agreement`: how much an answer has in common with each other one, on average, from 0 to 1.
//!
//! The measure is the F1 of words, as SQuAD uses it for answers: twice the words that both have, divided by the words
//! of both together. Case, order and punctuation are not looked at. An answer that several models give in other words may be as
//! right as all others: what is measured is how usual an answer is, not how right.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use super::{Answers, Score, Scorer};

#[derive(Debug)]
pub(super) struct Agreement;

impl Scorer for Agreement {
    fn score(&self, answers: &Answers<'_>) -> Vec<Score> {
        let bags: Vec<Bag> = answers.records.iter().map(|record| Bag::of(&record.text)).collect();
        let others = bags.len().saturating_sub(1);
        if others == 0 {
            return vec![Score::unknown("there is no other complete answer"); bags.len()];
        }
        let mean = |i: usize| {
            let alike = bags.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| bags[i].f1(other));
            alike.sum::<f64>() / others as f64
        };
        (0..bags.len()).map(|i| Score::of(mean(i))).collect()
    }
}

/// The words of a text, with how often each stands in it.
struct Bag {
    words: HashMap<String, usize>,
    size: usize,
}

impl Bag {
    fn of(text: &str) -> Self {
        let mut words = HashMap::new();
        let mut size = 0;
        for word in text.unicode_words() {
            *words.entry(word.to_lowercase()).or_default() += 1;
            size += 1;
        }
        Self { words, size }
    }

    /// From 0 (no word in common) to 1 (the same words). Two texts without words are the same.
    fn f1(&self, other: &Self) -> f64 {
        if self.size + other.size == 0 {
            return 1.0;
        }
        let count = |word: &String| other.words.get(word).copied().unwrap_or(0);
        let common: usize = self.words.iter().map(|(word, times)| (*times).min(count(word))).sum();
        2.0 * common as f64 / (self.size + other.size) as f64
    }
}
