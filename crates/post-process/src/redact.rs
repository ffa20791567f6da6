//! Redaction: what matches a pattern is replaced, wherever the text was cut.
//!
//! A match cannot be longer than the pattern's longest one. So of a text whose rest is to come, the places near its end
//! alone are undecided, and of those only the ones from which the pattern's automaton still runs when the text ends. All
//! before the first such place is as it would be in the whole text.

use crate::{Error, Metrics, Redaction};
use prometheus::IntCounter;
use regex_automata::{
    Anchored, Input,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    meta,
    nfa::thompson::{self, NFA, WhichCaptures},
    util::pool::Pool,
};
use regex_syntax::hir::Hir;
use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

/// The largest automaton of one pattern, in bytes.
const MAX_NFA_BYTES: usize = 4 << 20;
/// The most that an automaton may remember of its states, in bytes; beyond, it starts over.
const MAX_CACHE_BYTES: usize = 1 << 20;
/// What a look-around may read beyond a match: one character.
const LOOK_AHEAD: usize = 4;

/// A redaction, compiled.
#[derive(Debug)]
pub(crate) struct Redactor {
    matches: meta::Regex,
    runs: Runs,
    /// What can follow a place this many bytes on changes nothing about a match there.
    reach: usize,
    replacement: Box<str>,
    count: IntCounter,
}

/// One text on its way past a redaction.
#[derive(Debug, Default)]
pub(crate) struct Redacting {
    /// One character that has passed, for patterns that look back, and the text that is held back.
    text: String,
    /// Where the held text begins.
    from: usize,
}

/// Knows from which places the pattern may still match once more text has come.
struct Runs {
    dfa: DFA,
    caches: Pool<Cache, MakeCache>,
}

type MakeCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

// === impl Redactor ===

impl Redactor {
    pub(crate) fn build(redaction: &Redaction, metrics: &Metrics) -> Result<Self, Error> {
        let name = || redaction.name.clone();
        let hir = regex_syntax::parse(&redaction.pattern).map_err(|error| Error::Pattern {
            name: name(),
            reason: error.to_string(),
        })?;
        let longest = longest(redaction, &hir)?;
        let look_ahead = if hir.properties().look_set().is_empty() {
            0
        } else {
            LOOK_AHEAD
        };
        let too_large = |reason: String| Error::TooLarge { name: name(), reason };
        let config = meta::Config::new().nfa_size_limit(Some(MAX_NFA_BYTES));
        let matches = meta::Builder::new().configure(config).build_from_hir(&hir);
        Ok(Redactor {
            matches: matches.map_err(|error| too_large(source_of(&error)))?,
            runs: Runs::build(&hir, MAX_CACHE_BYTES).map_err(too_large)?,
            reach: longest.saturating_add(look_ahead),
            replacement: redaction.replacement.as_str().into(),
            count: metrics.redactions(&redaction.name),
        })
    }

    /// The first place from `at` on where it is undecided whether the pattern matches.
    fn undecided(&self, text: &str, at: usize) -> usize {
        let decided = text.len().saturating_add(1).saturating_sub(self.reach);
        let cache = &mut *self.runs.caches.get();
        let mut places = decided.max(at)..text.len();
        let undecided = places.find(|place| self.runs.may_match(cache, text, *place));
        undecided.unwrap_or(text.len())
    }
}

/// The longest match of the pattern, in bytes.
fn longest(redaction: &Redaction, hir: &Hir) -> Result<usize, Error> {
    let name = redaction.name.clone();
    match (hir.properties().minimum_len(), hir.properties().maximum_len()) {
        (None, _) => Err(Error::MatchesNothing { name }),
        (Some(0), _) => Err(Error::MatchesEmpty { name }),
        (_, None) => Err(Error::Unbounded { name }),
        (_, Some(longest)) if longest > redaction.max_match_bytes => Err(Error::TooLong {
            name,
            longest,
            allowed: redaction.max_match_bytes,
        }),
        (_, Some(longest)) => Ok(longest),
    }
}

/// The innermost reason of an error, which is the one that says something.
fn source_of(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

// === impl Redacting ===

impl Redacting {
    /// Takes more text, with `is_last` the last of it, and appends to `out` what is decided.
    pub(crate) fn push(&mut self, redactor: &Redactor, text: &str, is_last: bool, out: &mut String) {
        self.text.push_str(text);
        let mut at = self.from;
        let mut open = at;
        loop {
            if open <= at {
                open = if is_last {
                    self.text.len()
                } else {
                    redactor.undecided(&self.text, at)
                };
            }
            let found = redactor.matches.find(Input::new(&self.text).range(at..));
            let Some(found) = found.filter(|found| found.start() < open) else {
                break;
            };
            out.push_str(self.text.get(at..found.start()).unwrap_or_default());
            out.push_str(&redactor.replacement);
            redactor.count.inc();
            at = found.end();
        }
        out.push_str(self.text.get(at..open).unwrap_or_default());
        self.pass(open.max(at));
    }

    /// Forgets the text before `until` but for its last character.
    fn pass(&mut self, until: usize) {
        let passed = self.text.get(..until).unwrap_or_default();
        let kept = passed.chars().next_back().map_or(0, char::len_utf8);
        self.text.drain(..until.saturating_sub(kept));
        self.from = kept;
    }
}

// === impl Runs ===

impl Runs {
    fn build(hir: &Hir, cache_bytes: usize) -> Result<Self, String> {
        let config = NFA::config()
            .nfa_size_limit(Some(MAX_NFA_BYTES))
            .which_captures(WhichCaptures::None);
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(hir);
        let nfa = nfa.map_err(|error| source_of(&error))?;
        // With Unicode word borders it gives up at characters beyond ASCII, and then the place counts as undecided.
        let config = DFA::config()
            .unicode_word_boundary(true)
            .cache_capacity(cache_bytes)
            .skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa);
        let dfa = dfa.map_err(|error| source_of(&error))?;
        let make: MakeCache = {
            let dfa = dfa.clone();
            Box::new(move || dfa.create_cache())
        };
        let caches = Pool::new(make);
        Ok(Runs { dfa, caches })
    }

    /// Whether what follows `text` decides if and where a match that begins at `place` ends.
    fn may_match(&self, cache: &mut Cache, text: &str, place: usize) -> bool {
        if !text.is_char_boundary(place) {
            return false;
        }
        let input = Input::new(text).range(place..).anchored(Anchored::Yes);
        let Ok(mut state) = self.dfa.start_state_forward(cache, &input) else {
            return true;
        };
        for byte in text.bytes().skip(place) {
            match self.dfa.next_state(cache, state, byte) {
                Ok(next) if next.is_dead() => return false,
                Ok(next) if !next.is_quit() => state = next,
                _ => return true,
            }
        }
        !state.is_dead() && !self.is_settled(cache, state)
    }

    /// Whether whatever comes next leads to the same end. The automaton tells of a match one byte late, so a match that
    /// has just ended looks as if it ran on.
    fn is_settled(&self, cache: &mut Cache, state: LazyStateID) -> bool {
        let ends = |_: &mut Cache, next: LazyStateID| next.is_dead();
        let matches = |cache: &mut Cache, next: LazyStateID| next.is_match() && self.all_next(cache, next, ends);
        let clears = cache.clear_count();
        self.all_next(cache, state, ends) || (cache.clear_count() == clears && self.all_next(cache, state, matches))
    }

    /// Whether every next state, that at the end of the text included, passes `test`.
    fn all_next(&self, cache: &mut Cache, state: LazyStateID, test: impl Fn(&mut Cache, LazyStateID) -> bool) -> bool {
        let clears = cache.clear_count();
        let mut passed = None;
        self.dfa.byte_classes().representatives(..).all(|unit| {
            let next = match unit.as_u8() {
                Some(byte) => self.dfa.next_state(cache, state, byte),
                None => self.dfa.next_eoi_state(cache, state),
            };
            let Ok(next) = next else { return false };
            let passes = passed == Some(next) || test(cache, next);
            passed = Some(next);
            // A cache that was full and has been cleared knows `state` by another name.
            passes && cache.clear_count() == clears
        })
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runs").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
