//! Nothing in shipped code that may panic or end the process.
//!
//! The lints forbid most of this too; this scan also sees what stands inside macros' arguments, and an `allow` does not
//! silence it. The values of constants are left out: they are worked out while compiling.

use crate::{Error, Report, Workspace, source::Source};
use proc_macro2::{Delimiter, Group, Ident, LineColumn, TokenStream, TokenTree};
use std::fmt::Write;

const METHODS: [&str; 4] = ["unwrap", "expect", "unwrap_err", "expect_err"];
const MACROS: [&str; 11] = [
    "panic",
    "todo",
    "unimplemented",
    "unreachable",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "dbg",
];
/// Words after which a bracket opens an array, a slice type or a pattern rather than an index.
const KEYWORDS: [&str; 23] = [
    "as", "await", "box", "break", "const", "continue", "dyn", "else", "for", "if", "impl", "in", "let", "loop",
    "match", "move", "mut", "pub", "ref", "return", "static", "where", "while",
];

/// One place that may panic.
struct Finding {
    at: LineColumn,
    what: String,
}

/// Looks through all shipped code.
pub fn check(workspace: &Workspace) -> Result<Report, Error> {
    let (mut text, mut found) = (String::new(), 0_usize);
    for one in workspace.crates()?.iter().filter(|one| !one.is_testkit) {
        for file in one.src.iter().filter(|file| !file.is_test) {
            for Finding { at, what } in findings(&file.source) {
                found = found.saturating_add(1);
                // Writing to a string cannot fail.
                writeln!(text, "{}:{}: {what}", file.source.name, at.line).unwrap_or_default();
            }
        }
    }
    match found {
        0 => text.push_str("nothing in shipped code may panic\n"),
        _ => writeln!(text, "{found} places in shipped code may panic").unwrap_or_default(),
    }
    Ok(Report {
        text,
        passes: found == 0,
    })
}

fn findings(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    scan(&source.tokens, &mut found);
    let is_main = source.name.ends_with("/src/main.rs");
    found.retain(|finding| {
        let may_exit = is_main && finding.what.starts_with("process::");
        !may_exit && !source.is_test_at(finding.at) && !source.is_const_at(finding.at)
    });
    found
}

fn scan(tokens: &TokenStream, found: &mut Vec<Finding>) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for (nth, token) in tokens.iter().enumerate() {
        let (before, after) = (
            tokens.get(..nth).unwrap_or_default(),
            tokens.get(nth.saturating_add(1)..),
        );
        let after = after.unwrap_or_default();
        let what = match token {
            TokenTree::Ident(word) => word_found(word, before, after),
            TokenTree::Group(group) if is_index(group, before) => Some("index expression".to_owned()),
            _ => None,
        };
        found.extend(what.map(|what| Finding {
            at: token.span().start(),
            what,
        }));
        // What an attribute says is no code.
        if let TokenTree::Group(group) = token
            && !is_attribute(group, before)
        {
            scan(&group.stream(), found);
        }
    }
}

/// What this word does wrong, between what stands before and after it.
fn word_found(word: &Ident, before: &[TokenTree], after: &[TokenTree]) -> Option<String> {
    let word = word.to_string();
    match &*word {
        "unsafe" => Some("unsafe".into()),
        "exit" | "abort" if follows_process(before) => Some(format!("process::{word}")),
        "process" if is_punct(after.first(), ':') => ends_process(after).map(|word| format!("process::{word}")),
        _ if METHODS.contains(&&*word) && is_called(before, after) => Some(format!(".{word}()")),
        _ if MACROS.contains(&&*word) && is_macro(after) => Some(format!("{word}!")),
        _ => None,
    }
}

/// `.unwrap(`, or `Option::unwrap` handed on as a function.
fn is_called(before: &[TokenTree], after: &[TokenTree]) -> bool {
    let is_call = is_group(after.first(), Delimiter::Parenthesis) || is_punct(after.first(), ':');
    is_punct(before.last(), '.') && is_call || is_path(before)
}

/// `panic!(`, but not `panic != x`.
fn is_macro(after: &[TokenTree]) -> bool {
    is_punct(after.first(), '!') && matches!(after.get(1), Some(TokenTree::Group(_)))
}

/// `process::exit`.
fn follows_process(before: &[TokenTree]) -> bool {
    let process = before.len().checked_sub(3).and_then(|at| before.get(at));
    is_path(before) && matches!(process, Some(TokenTree::Ident(word)) if word == "process")
}

/// `process::{exit, ..}`, as an import says it.
fn ends_process(after: &[TokenTree]) -> Option<String> {
    let Some(TokenTree::Group(group)) = after.get(2) else {
        return None;
    };
    let mut words = group.stream().into_iter().map(|token| token.to_string());
    words.find(|word| word == "exit" || word == "abort")
}

/// `a[i]`, `f()[i]`, `a[i][j]`, `a?[i]`, `"text"[i..]`; not `[T]`, `#[a]`, `m![a]`, `&'a [T]`, `pub(crate) [T]`, nor
/// `a[..]`, which takes all and cannot fail.
fn is_index(group: &Group, before: &[TokenTree]) -> bool {
    if group.delimiter() != Delimiter::Bracket || group.stream().to_string().replace(' ', "") == ".." {
        return false;
    }
    let earlier = before.len().checked_sub(2).and_then(|at| before.get(at));
    match before.last() {
        Some(TokenTree::Ident(word)) => !is_punct(earlier, '\'') && !KEYWORDS.contains(&&*word.to_string()),
        Some(TokenTree::Literal(_)) => true,
        Some(TokenTree::Punct(punct)) => punct.as_char() == '?',
        Some(TokenTree::Group(group)) => match group.delimiter() {
            Delimiter::Parenthesis => !matches!(earlier, Some(TokenTree::Ident(word)) if word == "pub"),
            Delimiter::Bracket => !is_punct(earlier, '#'),
            Delimiter::Brace | Delimiter::None => false,
        },
        None => false,
    }
}

/// `#[..]` and `#![..]`.
fn is_attribute(group: &Group, before: &[TokenTree]) -> bool {
    let earlier = before.len().checked_sub(2).and_then(|at| before.get(at));
    let hash = is_punct(before.last(), '#') || is_punct(before.last(), '!') && is_punct(earlier, '#');
    hash && group.delimiter() == Delimiter::Bracket
}

/// Whether what comes before ends with `::`.
fn is_path(before: &[TokenTree]) -> bool {
    let earlier = before.len().checked_sub(2).and_then(|at| before.get(at));
    is_punct(before.last(), ':') && is_punct(earlier, ':')
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}
