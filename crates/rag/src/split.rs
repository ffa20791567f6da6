//! Cuts a text into passages: at Markdown's headings, then at blank lines, at lines, at sentences, at words, at characters,
//! whichever comes first that keeps a passage within its size. A heading stands with what is below it: alone it would match
//! its words best and say nothing.

/// A part of a text that says one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// The heading above it, without its signs.
    pub(crate) heading: &'a str,
    pub(crate) text: &'a str,
}

/// A part of a text that begins with headings, or where the text begins; it ends where the next one begins.
#[derive(Clone, Copy, Debug, Default)]
struct Section<'a> {
    /// The last of its headings.
    heading: &'a str,
    start: usize,
    /// Where its headings end.
    body: usize,
}

/// Where a text may be cut, the best place first.
const CUTS: [&str; 5] = ["\n\n", "\n", ". ", "。", " "];

/// The pieces of `text`, in order, none longer than `max_bytes` [at least 4] and none blank. Together they hold all of it but
/// blanks.
pub(crate) fn split(text: &str, max_bytes: usize) -> Vec<Piece<'_>> {
    let sections = sections(text);
    let ends = sections.iter().skip(1).map(|next| next.start).chain([text.len()]);
    let mut pieces = Vec::new();
    for (section, end) in sections.iter().zip(ends) {
        let part = |from, to| text.get(from..to).unwrap_or_default();
        let body = part(section.body, end).trim();
        let mut rest = part(section.start, end).trim();
        let mut headings = rest.len().saturating_sub(body.len());
        while !rest.is_empty() {
            let (text, more) = rest.split_at(cut(rest, headings, max_bytes));
            pieces.push(Piece {
                heading: section.heading,
                text: text.trim_end(),
            });
            rest = more.trim_start();
            headings = 0;
        }
    }
    pieces
}

/// The sections of a text. A heading without text belongs to the section below it, at the end to the one above. Signs inside
/// of fenced code are no headings.
fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    let mut last = Section::default();
    let (mut at, mut fenced) = (0_usize, false);
    let is_bare = |section: Section<'_>, end| text.get(section.body..end).is_none_or(|body| body.trim().is_empty());
    for line in text.split_inclusive('\n') {
        let end = at.saturating_add(line.len());
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if let (false, Some(heading)) = (fenced, heading(line)) {
            if !is_bare(last, at) {
                sections.push(last);
                last.start = at;
            }
            (last.heading, last.body) = (heading, end);
        }
        at = end;
    }
    if sections.is_empty() || !is_bare(last, text.len()) {
        sections.push(last);
    }
    sections
}

fn heading(line: &str) -> Option<&str> {
    let signs = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line.get(signs..).filter(|_| (1..=6).contains(&signs))?;
    title
        .starts_with(' ')
        .then(|| title.trim().trim_end_matches('#').trim())
}

/// The end of the longest good beginning of `text`, which starts with `headings` bytes of headings; never 0.
fn cut(text: &str, headings: usize, max_bytes: usize) -> usize {
    if text.len() <= max_bytes {
        return text.len();
    }
    let end = text.floor_char_boundary(max_bytes);
    let window = text.get(..end).unwrap_or(text);
    // A cut close to the beginning would leave a scrap, and one below the headings would leave them alone.
    let scrap = (end / 2).max(if headings < end { headings } else { 0 });
    let mut places = CUTS
        .iter()
        .filter_map(|mark| Some(window.rfind(mark)?.saturating_add(mark.len())));
    match places.find(|place| *place > scrap).unwrap_or(end) {
        0 => text.ceil_char_boundary(1),
        good => good,
    }
}

#[cfg(test)]
mod tests;
