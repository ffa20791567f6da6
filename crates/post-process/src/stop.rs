//! Stop strings: the text is cut before the first place where one of them stands.

use crate::Error;

/// The stop strings of a configuration.
#[derive(Debug)]
pub(crate) struct Stops {
    stops: Vec<Box<str>>,
    /// Which bytes a stop string begins with.
    first: [bool; 256],
}

/// One text on its way past the stop strings: what may be the begin of one.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    held: String,
}

/// What stands at a place of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// The begin of a stop string, and then the text ends.
    Begin,
    Stop,
}

// === impl Stops ===

impl Stops {
    /// `None` when there are none.
    pub(crate) fn build(stops: &[String]) -> Result<Option<Self>, Error> {
        if let Some(index) = stops.iter().position(String::is_empty) {
            return Err(Error::EmptyStop { index });
        }
        let mut first = [false; 256];
        for byte in stops.iter().filter_map(|stop| stop.bytes().next()) {
            if let Some(begins) = first.get_mut(usize::from(byte)) {
                *begins = true;
            }
        }
        let stops: Vec<Box<str>> = stops.iter().map(|stop| stop.as_str().into()).collect();
        Ok((!stops.is_empty()).then_some(Stops { stops, first }))
    }

    /// The first place where a stop string stands, or may stand once more text has come.
    fn find(&self, text: &[u8], is_last: bool) -> Option<(usize, Found)> {
        let begins = |byte: &u8| self.first.get(usize::from(*byte)).copied().unwrap_or(true);
        let places = text.iter().enumerate().filter(|(_, byte)| begins(byte));
        let mut found = places.map(|(at, _)| (at, self.at(text.get(at..).unwrap_or_default())));
        found.find(|(_, found)| *found == Found::Stop || (*found == Found::Begin && !is_last))
    }

    fn at(&self, rest: &[u8]) -> Found {
        let mut found = Found::Nothing;
        for stop in self.stops.iter().map(|stop| stop.as_bytes()) {
            if rest.starts_with(stop) {
                return Found::Stop;
            }
            if stop.starts_with(rest) {
                found = Found::Begin;
            }
        }
        found
    }
}

// === impl Stopping ===

impl Stopping {
    /// Takes more text, with `is_last` the last of it, and appends to `out` what stands before any stop string. Whether
    /// one was found; then no more text counts.
    pub(crate) fn push(&mut self, stops: &Stops, text: &str, is_last: bool, out: &mut String) -> bool {
        self.held.push_str(text);
        let found = stops.find(self.held.as_bytes(), is_last);
        let until = found.map_or(self.held.len(), |(at, _)| at);
        // A stop string begins with a whole character, so this is a border of characters.
        out.push_str(self.held.get(..until).unwrap_or_default());
        self.held.drain(..until);
        found.is_some_and(|(_, found)| found == Found::Stop)
    }
}

#[cfg(test)]
mod tests;
