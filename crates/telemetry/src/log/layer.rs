//! From `tracing` to lines: an event's own fields, then those of the spans around it, the innermost first.

use super::{
    Source,
    line::{Heading, Line, Style, Value, compose, rendered},
};
use std::{
    error::Error,
    fmt::{self, Debug, Display},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, Scope},
};

/// Writes each event that it is shown as a line.
pub(super) struct LogLayer(Source);

/// The fields of a span, rendered once.
struct SpanFields {
    style: Style,
    fields: Vec<(&'static str, Vec<u8>)>,
}

/// Shows the message of an event.
struct Message<'a, 'e>(&'a Event<'e>);

/// Writes the message alone.
struct MessageTo<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    result: fmt::Result,
}

/// Writes all fields but the message.
struct Fields<'a, 'l>(&'a mut Line<'l>);

/// Shows a value by its `Debug`.
struct Debugged<'a>(&'a dyn Debug);

/// Shows an error with all its causes.
struct Causes<'a>(&'a (dyn Error + 'static));

// === impl LogLayer ===

impl LogLayer {
    pub(super) fn new(source: Source) -> Self {
        LogLayer(source)
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = SpanFields {
            style: self.0.style,
            fields: Vec::new(),
        };
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Source { sink, style, clock } = &self.0;
        let metadata = event.metadata();
        let heading = Heading {
            time: clock(),
            level: *metadata.level(),
            target: metadata.target(),
            message: Value::Shown(&Message(event)),
        };
        let fill = |line: &mut Line<'_>| {
            event.record(&mut Fields(line));
            if let Some(scope) = context.event_scope(event) {
                spans(line, metadata, scope);
            }
        };
        compose(*style, &heading, fill, |bytes| sink.take(bytes));
        if *metadata.level() <= Level::ERROR {
            sink.hurry();
        }
    }
}

/// Writes the fields of the spans around an event; of two with the same name, the inner one.
fn spans<'s, S: LookupSpan<'s>>(line: &mut Line<'_>, metadata: &Metadata<'_>, scope: Scope<'s, S>) {
    let own = metadata.fields().iter().map(|field| field.name());
    let mut written: Vec<&str> = own.filter(|name| *name != "message").map(shown_name).collect();
    for span in scope {
        let extensions = span.extensions();
        let Some(SpanFields { fields, .. }) = extensions.get::<SpanFields>() else {
            continue;
        };
        for (name, value) in fields {
            let name = shown_name(name);
            if !written.contains(&name) {
                line.field(name, Value::Rendered(value));
                written.push(name);
            }
        }
    }
}

/// The name that a field has in a line. Those that every line has would stand there twice, and a name that is no plain
/// word (a program may give any text) could break it.
fn shown_name(name: &'static str) -> &'static str {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    match name.trim_start_matches("r#") {
        "timestamp" => "field.timestamp",
        "level" => "field.level",
        "target" => "field.target",
        "message" => "field.message",
        word if word.bytes().all(is_plain) => word,
        _ => "field",
    }
}

// === impl SpanFields ===

impl SpanFields {
    fn set(&mut self, field: &Field, value: Value<'_>) {
        let value = rendered(self.style, value);
        let known = self.fields.iter_mut().find(|(name, _)| *name == field.name());
        match known {
            Some((_, old)) => *old = value,
            None => self.fields.push((field.name(), value)),
        }
    }
}

/// Both visitors take values alike.
macro_rules! visit_values {
    ($put:ident) => {
        fn record_f64(&mut self, field: &Field, value: f64) {
            self.$put(field, Value::Float(value));
        }
        fn record_i64(&mut self, field: &Field, value: i64) {
            self.$put(field, Value::Signed(value));
        }
        fn record_u64(&mut self, field: &Field, value: u64) {
            self.$put(field, Value::Unsigned(value));
        }
        fn record_bool(&mut self, field: &Field, value: bool) {
            self.$put(field, Value::Flag(value));
        }
        fn record_str(&mut self, field: &Field, value: &str) {
            self.$put(field, Value::Text(value));
        }
        fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
            self.$put(field, Value::Shown(&Causes(value)));
        }
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.$put(field, Value::Shown(&Debugged(value)));
        }
    };
}

impl Visit for SpanFields {
    visit_values!(set);
}

// === impl Fields ===

impl Fields<'_, '_> {
    fn put(&mut self, field: &Field, value: Value<'_>) {
        if field.name() != "message" {
            self.0.field(shown_name(field.name()), value);
        }
    }
}

impl Visit for Fields<'_, '_> {
    visit_values!(put);
}

// === impl Message ===

impl Display for Message<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut message = MessageTo { out: f, result: Ok(()) };
        self.0.record(&mut message);
        message.result
    }
}

impl Visit for MessageTo<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.result = self.out.write_str(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.result = write!(self.out, "{value:?}");
        }
    }
}

impl Display for Debugged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
