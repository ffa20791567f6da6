//! A worker's stream, read from bytes that are split anywhere: all chunks that are complete, each with its event.

use crate::{
    Meta, Protocol, chat,
    error::{failure, truncated},
    frames::{Frame, Frames, Framing},
    messages, ollama,
};
use orchestrator_core::{Chunk, Code, Failure, Kind, Text};

/// The most choices that an answer may have, as in a request.
const MAX_CHOICES: u32 = 128;

/// Reads the stream of one answer.
#[derive(Debug)]
pub struct Reader {
    frames: Frames,
    decoder: Decoder,
    meta: Meta,
    anything: bool,
    /// The choices that have said something, and those that are finished, as bits.
    begun: u128,
    finished: u128,
    over: bool,
}

/// What the events are read as, with what that has to remember.
#[derive(Debug)]
enum Decoder {
    Chat(chat::Progress),
    Messages(messages::Progress),
    Ollama(ollama::Progress),
}

// === impl Reader ===

impl Reader {
    /// A reader of what a worker that speaks `protocol` streams.
    pub fn new(protocol: Protocol) -> Self {
        let (framing, decoder) = match protocol {
            Protocol::Chat => (Framing::Sse, Decoder::Chat(chat::Progress::default())),
            Protocol::Messages => (Framing::Sse, Decoder::Messages(messages::Progress::default())),
            Protocol::Ollama => (Framing::Lines, Decoder::Ollama(ollama::Progress::default())),
        };
        Reader {
            frames: Frames::new(framing),
            decoder,
            meta: Meta::default(),
            anything: false,
            begun: 0,
            finished: 0,
            over: false,
        }
    }

    /// Takes bytes in and appends all chunks that are complete now. After the end of the answer further bytes are ignored.
    /// A failure ends the answer; the chunks before it are good.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Chunk>) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        self.frames.feed(bytes)?;
        while let Some(frame) = self.frames.next()? {
            let (chunk, last) = self.read(frame)?;
            if let Some(chunk) = chunk {
                self.count(&chunk)?;
                out.push(chunk);
            }
            if last {
                return self.end();
            }
        }
        Ok(())
    }

    /// The worker has closed the stream: a failure unless every choice was finished, since an answer that just ends is not
    /// known to be whole.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.over = true;
        if self.finished & 1 == 1 && self.begun & !self.finished == 0 {
            return Ok(());
        }
        Err(truncated(match self.anything {
            true => "The worker's answer ended before it was finished.",
            false => "The worker's stream ended without an answer.",
        }))
    }

    /// Whether the answer is complete, so that the rest of the body need not be waited for.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What the worker has said of the answer so far.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    fn read(&mut self, frame: Frame) -> Result<(Option<Chunk>, bool), Failure> {
        let data = Text::try_from(frame.data).map_err(|_| {
            let text = "The worker sent an event that is not valid UTF-8.";
            Failure::new(Code::UpstreamProtocol, text)
        })?;
        if frame.error {
            return Err(failure(&data));
        }
        self.anything = true;
        match &mut self.decoder {
            Decoder::Chat(progress) => progress.read(&data, &mut self.meta),
            Decoder::Messages(progress) => progress.read(&data, &mut self.meta),
            Decoder::Ollama(progress) => progress.read(&data, &mut self.meta),
        }
    }

    fn count(&mut self, chunk: &Chunk) -> Result<(), Failure> {
        for delta in &chunk.deltas {
            if delta.choice >= MAX_CHOICES {
                let text = format!("The worker sent more than {MAX_CHOICES} choices.");
                return Err(Failure::new(Code::UpstreamProtocol, text));
            }
            let bit = 1_u128.wrapping_shl(delta.choice);
            match delta.kind {
                Kind::Finish(_) => self.finished |= bit,
                Kind::Usage(_) => {}
                _ => self.begun |= bit,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
