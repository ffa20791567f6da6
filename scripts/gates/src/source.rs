//! One Rust file: its tokens, and which of them are compiled for tests only.

mod regions;

use crate::Error;
use proc_macro2::{LineColumn, TokenStream, TokenTree};
use regions::Regions;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A Rust file.
pub(crate) struct Source {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// The same from the workspace's root on, for people.
    pub(crate) name: String,
    /// Whether the file says itself that it is for tests only.
    pub(crate) is_test: bool,
    pub(crate) tokens: TokenStream,
    lines: Vec<String>,
    regions: Regions,
}

/// Lines of code of both kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) shipped: usize,
    pub(crate) test: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Blank,
    Test,
    Shipped,
}

// === impl Source ===

impl Source {
    pub(crate) fn read(root: &Path, path: PathBuf) -> Result<Self, Error> {
        let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let wrong = |at: LineColumn, message: String| Error::Rust {
            path: path.clone(),
            line: at.line,
            message,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let tokens: TokenStream = text
            .parse()
            .map_err(|error: proc_macro2::LexError| wrong(error.span().start(), error.to_string()))?;
        let file: syn::File =
            syn::parse2(tokens.clone()).map_err(|error| wrong(error.span().start(), error.to_string()))?;
        Ok(Source {
            is_test: file.attrs.iter().any(regions::is_for_tests),
            regions: Regions::of(&file),
            lines: text.lines().map(str::to_owned).collect(),
            tokens,
            name,
            path,
        })
    }

    /// The files of this file's modules: those that are for tests only, or all of them when `all`.
    pub(crate) fn modules_for(&self, all: bool) -> Vec<PathBuf> {
        let wanted = self.regions.modules.iter().filter(|module| all || module.is_test);
        wanted.flat_map(|module| module.files(&self.path)).collect()
    }

    /// Whether the code at this place is compiled for tests only.
    pub(crate) fn is_test_at(&self, at: LineColumn) -> bool {
        self.is_test || self.regions.test.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    /// Whether the code at this place runs while compiling: it is the value of a constant.
    pub(crate) fn is_const_at(&self, at: LineColumn) -> bool {
        self.regions.consts.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    /// Lines on which a token stands that is no comment.
    pub(crate) fn count(&self) -> Lines {
        let mut lines = vec![Line::Blank; self.lines.len()];
        self.each_place(&self.tokens, &mut |from, to| {
            let kind = if self.is_test_at(from) {
                Line::Test
            } else {
                Line::Shipped
            };
            let touched = lines
                .iter_mut()
                .zip(&self.lines)
                .take(to.line)
                .skip(from.line.saturating_sub(1));
            for (line, text) in touched {
                if !text.trim().is_empty() {
                    *line = kind.max(*line);
                }
            }
        });
        let count = |kind| lines.iter().filter(|line| **line == kind).count();
        Lines {
            shipped: count(Line::Shipped),
            test: count(Line::Test),
        }
    }

    /// Calls back with the begin and the end of each token; those of doc comments are left out, and so are `,` and `;`.
    fn each_place(&self, tokens: &TokenStream, call: &mut impl FnMut(LineColumn, LineColumn)) {
        let mut in_comment = false;
        for token in tokens.clone() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' && self.is_comment(punct.span().start()) => {
                    in_comment = true;
                }
                // The `!` and the text of the comment that the `#` stands for.
                TokenTree::Punct(punct) if in_comment && punct.as_char() == '!' => {}
                TokenTree::Group(_) if in_comment => in_comment = false,
                // They belong to what stands before them, which may be for tests only.
                TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';') => {}
                TokenTree::Group(group) => {
                    call(group.span_open().start(), group.span_open().end());
                    self.each_place(&group.stream(), call);
                    call(group.span_close().start(), group.span_close().end());
                }
                other => call(other.span().start(), other.span().end()),
            }
        }
    }

    /// Whether a comment begins here: a doc comment's tokens are those of an attribute, and stand where it stands.
    fn is_comment(&self, at: LineColumn) -> bool {
        let line = self.lines.get(at.line.saturating_sub(1));
        line.and_then(|line| line.chars().nth(at.column)) == Some('/')
    }
}

// === impl Lines ===

impl Lines {
    /// All of it counted as test code.
    pub(crate) fn as_test(self) -> Self {
        Lines {
            shipped: 0,
            test: self.shipped.saturating_add(self.test),
        }
    }
}

impl std::iter::Sum for Lines {
    fn sum<I: Iterator<Item = Lines>>(lines: I) -> Lines {
        lines.fold(Lines::default(), |sum, lines| Lines {
            shipped: sum.shipped.saturating_add(lines.shipped),
            test: sum.test.saturating_add(lines.test),
        })
    }
}
