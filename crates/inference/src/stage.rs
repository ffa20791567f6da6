//! The stage that calls a worker.

use orchestrator_core::{Cx, Failure, Flow, Model, Prompt, Reply, Stage, StageName};
use std::{fmt, sync::Arc};

/// Calls a worker, or something made of workers.
pub struct Inference {
    model: Arc<dyn Model>,
}

// === impl Inference ===

impl Inference {
    /// A stage that calls `model`.
    pub fn new(model: Arc<dyn Model>) -> Self {
        Inference { model }
    }
}

impl Stage for Inference {
    const NAME: StageName = StageName::Inference;
    type In = Prompt;
    type Out = Reply;

    async fn run(&self, cx: &mut Cx, prompt: Prompt) -> Result<Flow<Reply>, Failure> {
        cx.expect_choices(prompt.request.params.choices.unwrap_or(1));
        self.model.call(cx, &prompt).await.map(Flow::Next)
    }
}

impl fmt::Debug for Inference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inference").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
