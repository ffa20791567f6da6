//! Cuts a text into words.
//!
//! A word is a run of letters and digits. Chinese, Japanese and Korean stand without blanks between words, or with endings
//! grown to them: there each sign and each pair of neighbours is a word, the usual way without a dictionary.

use std::{iter, vec};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Finds the words of a text or of a question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// Whether a sign that is part of a pair is a word too. In a text it is, so that a single sign finds it; a question
    /// says more by its pairs.
    singles: bool,
}

/// The words of a text, one after the other; where they stand in it nobody asks.
#[derive(Debug)]
pub(crate) struct Found {
    token: Token,
    ahead: vec::IntoIter<String>,
}

// === impl Words ===

impl Words {
    pub(crate) fn of_a_text() -> Self {
        Words { singles: true }
    }

    pub(crate) fn of_a_question() -> Self {
        Words { singles: false }
    }

    fn add(self, run: &[char], words: &mut Vec<String>) {
        match run {
            [first, ..] if !is_dense(*first) => words.push(run.iter().collect()),
            [one] => words.push(one.to_string()),
            _ => {
                let singles = run.iter().take(if self.singles { run.len() } else { 0 });
                words.extend(singles.map(char::to_string));
                words.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
            }
        }
    }
}

impl Tokenizer for Words {
    type TokenStream<'a> = Found;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Found {
        let mut words = Vec::new();
        let mut run = Vec::new();
        for sign in text.chars().chain(iter::once(' ')) {
            if run
                .last()
                .is_some_and(|last| !sign.is_alphanumeric() || is_dense(*last) != is_dense(sign))
            {
                self.add(&run, &mut words);
                run.clear();
            }
            if sign.is_alphanumeric() {
                run.push(sign);
            }
        }
        Found {
            token: Token::default(),
            ahead: words.into_iter(),
        }
    }
}

// === impl Found ===

impl TokenStream for Found {
    fn advance(&mut self) -> bool {
        let Some(word) = self.ahead.next() else { return false };
        self.token.text = word;
        // The first one's position is 0, after the default's that wraps.
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// Whether it is a Chinese, Japanese or Korean letter: `sign` is known to be a letter.
fn is_dense(sign: char) -> bool {
    matches!(sign,
        '\u{1100}'..='\u{11ff}'
        | '\u{2e80}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ffdc}'
        | '\u{1aff0}'..='\u{1b2ff}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests;
