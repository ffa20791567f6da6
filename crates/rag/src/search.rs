//! Full-text search over passages in memory, ranked by BM25 (Robertson, Zaragoza: The Probabilistic Relevance Framework,
//! 2009). A question is a bag of words: nothing in it is read as a query language, so any text may be asked.

use crate::{Error, folder::Document, split::split, words::Words};
use orchestrator_core::Passage;
use std::collections::BTreeSet;
use tantivy::{
    Index, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, TantivyError, Term,
    collector::TopDocs,
    query::BooleanQuery,
    schema::{Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions, Value},
    tokenizer::{Language, LowerCaser, RemoveLongFilter, Stemmer, StopWordFilter, TextAnalyzer},
};

/// What the index may hold in memory before it writes a segment, in bytes; the least that it takes.
const WRITER_BYTES: usize = 15_000_000;
/// The words of a question that are looked for.
const MAX_WORDS: usize = 64;
/// The longest word, in bytes.
const MAX_WORD: usize = 128;
const ANALYZER: &str = "words";

/// Passages that can be searched.
pub(crate) struct Search {
    searcher: Searcher,
    /// Takes a question apart.
    analyzer: TextAnalyzer,
    fields: Fields,
    passages: usize,
}

#[derive(Clone, Copy)]
struct Fields {
    /// The words of a passage and of its heading; searched and not kept.
    words: Field,
    source: Field,
    text: Field,
}

// === impl Search ===

impl Search {
    /// Cuts the documents into passages and indexes them. It computes long: for blocking threads.
    pub(crate) fn build(documents: impl Iterator<Item = Document>, passage_bytes: usize) -> Result<Self, Error> {
        let (schema, fields) = schema();
        let index = Index::builder().schema(schema).create_in_ram()?;
        index.tokenizers().register(ANALYZER, analyzer(Words::of_a_text()));
        let mut writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let mut passages = 0_usize;
        for document in documents {
            for piece in split(&document.text, passage_bytes) {
                let source = match piece.heading {
                    "" => document.source.clone(),
                    heading => format!("{}#{heading}", document.source),
                };
                writer.add_document(fields.document(&source, piece.heading, piece.text))?;
                passages = passages.saturating_add(1);
            }
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Search {
            searcher: reader.searcher(),
            analyzer: analyzer(Words::of_a_question()),
            fields,
            passages,
        })
    }

    pub(crate) fn passages(&self) -> usize {
        self.passages
    }

    /// The passages that share most and rarest words with the question, best first, at most `limit`.
    pub(crate) fn find(&self, question: &str, limit: usize) -> Result<Vec<Passage>, TantivyError> {
        let terms = self.terms(question);
        if terms.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let query = BooleanQuery::new_multiterms_query(terms);
        let best = self
            .searcher
            .search(&query, &TopDocs::with_limit(limit).order_by_score())?;
        best.into_iter()
            .map(|(score, place)| {
                let document: TantivyDocument = self.searcher.doc(place)?;
                let text = |field| {
                    document
                        .get_first(field)
                        .and_then(|value| value.as_str())
                        .unwrap_or_default()
                };
                Ok(Passage {
                    source: text(self.fields.source).into(),
                    text: text(self.fields.text).into(),
                    score,
                })
            })
            .collect()
    }

    /// The words of a question as the index knows them.
    fn terms(&self, question: &str) -> Vec<Term> {
        let mut words = BTreeSet::new();
        let mut analyzer = self.analyzer.clone();
        let mut tokens = analyzer.token_stream(question);
        while words.len() < MAX_WORDS && tokens.advance() {
            words.insert(tokens.token().text.clone());
        }
        let term = |word: &String| Term::from_field_text(self.fields.words, word);
        words.iter().map(term).collect()
    }
}

// === impl Fields ===

impl Fields {
    fn document(self, source: &str, heading: &str, text: &str) -> TantivyDocument {
        let mut document = TantivyDocument::default();
        document.add_text(self.source, source);
        document.add_text(self.text, text);
        document.add_text(self.words, heading);
        document.add_text(self.words, text);
        document
    }
}

fn schema() -> (Schema, Fields) {
    let words = TextFieldIndexing::default()
        .set_tokenizer(ANALYZER)
        .set_index_option(IndexRecordOption::WithFreqs);
    let mut schema = Schema::builder();
    let fields = Fields {
        words: schema.add_text_field("words", TextOptions::default().set_indexing_options(words)),
        source: schema.add_text_field("source", STORED),
        text: schema.add_text_field("text", STORED),
    };
    (schema.build(), fields)
}

/// Words in lower case, without those that stand in every English text, by their stems. Words of other languages are
/// looked for as they stand.
fn analyzer(words: Words) -> TextAnalyzer {
    let words = TextAnalyzer::builder(words)
        .filter(RemoveLongFilter::limit(MAX_WORD))
        .filter(LowerCaser);
    let stemmer = Stemmer::new(Language::English);
    match StopWordFilter::new(Language::English) {
        Some(stop_words) => words.filter(stop_words).filter(stemmer).build(),
        None => words.filter(stemmer).build(),
    }
}

#[cfg(test)]
mod tests;
