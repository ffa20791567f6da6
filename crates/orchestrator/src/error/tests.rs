//! Each error is met here as far as that needs no process; the rest stands in `tests/life.rs`.

use super::*;
use crate::{
    core::{Build, Cores},
    run::run,
    workers::Workers,
};
use expect_test::{Expect, expect};
use orchestrator_assemble::{Assemble, Target};
use orchestrator_config::{Config, Environment, Loaded, parse};
use orchestrator_core::{Blocking, Env, Ledger, LineMetrics, Live, Secret, StageName, Tasks};
use orchestrator_gateway::{Gateway, Life, Stage, life};
use orchestrator_inference::{Inference, WorkerSpec};
use orchestrator_pipeline::{Gate, Parts, Size, Sizes};
use orchestrator_telemetry::{Logs, Registry, log};
use orchestrator_testkit::Credits;
use std::{io, net::TcpListener, sync::Arc, time::Duration};

/// The exit code and the words of an error.
fn ends(error: impl Into<OrchestratorError>, code: u8, words: &Expect) {
    let error = error.into();
    assert_eq!(error.exit_code(), code, "{error}");
    words.assert_eq(&error.to_string());
}

fn config(text: &str) -> Config {
    parse("p.toml".as_ref(), text, &Environment::default()).unwrap().config
}

fn registry() -> Registry {
    Registry::new("test", Duration::ZERO).unwrap()
}

#[test]
fn a_wrong_document_is_the_author_s_to_mend() {
    let findings = parse("p.toml".as_ref(), "[shutdown]\ngrace_ms = 0\n", &Environment::default()).unwrap_err();
    ends(
        findings,
        78,
        &expect![[r#"
        error: 0 is too small
         --> p.toml:2:12
          |
        2 | grace_ms = 0
          |            ^
          |
          = field: shutdown.grace_ms
          = allowed: an integer, 1 to 86400000"#]],
    );
}

#[test]
fn what_the_check_would_have_found_is_no_reason_to_try_again_either() {
    let mut config = Config::dev();
    config.pipeline.stages.assemble.template = "{% if".to_owned();
    let error = config.pipeline.stages.assemble.check().unwrap_err();
    ends(
        error,
        78,
        &expect![
            "error: pipeline.stages.assemble: the template is not valid in line 1: unexpected end of input, expected expression"
        ],
    );
    config.pipeline.stages.post_process.stop = vec![String::new()];
    let metrics = orchestrator_post_process::Metrics::register(registry().metrics()).unwrap();
    let error = orchestrator_post_process::PostProcess::build(&config.pipeline.stages.post_process, &metrics);
    ends(
        error.unwrap_err(),
        78,
        &expect!["error: pipeline.stages.post_process.stop[0] is empty: every answer would end before it began"],
    );
    config.pipeline.stages.rag.folder = Some("/none/at/all".into());
    let metrics = orchestrator_rag::Metrics::register(registry().metrics()).unwrap();
    let error = orchestrator_rag::Index::open(&config.pipeline.stages.rag, Blocking::new(1), metrics).unwrap_err();
    ends(
        error,
        78,
        &expect![
            "error: pipeline.stages.rag: the folder /none/at/all cannot be read: No such file or directory (os error 2)"
        ],
    );
}

/// Without the token everybody could steer: that it is gone since the check must not open the doors.
#[test]
fn a_token_that_cannot_be_had_keeps_the_doors_shut() {
    let mut config = Config::dev();
    config.server.admin_token = Secret::new("${file:/gone}");
    let error = crate::wiring::admin_token(&config).unwrap_err();
    ends(
        error,
        78,
        &expect!["error: server.admin_token: cannot read the file /gone: No such file or directory (os error 2)"],
    );
}

#[test]
fn a_taken_address_may_be_free_later() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let free = "127.0.0.1:0".parse().unwrap();
    let error = OrchestratorError::from(Gateway::bind(address, free).unwrap_err());
    assert_eq!(error.exit_code(), 1);
    assert!(
        error
            .to_string()
            .starts_with(&format!("error: cannot listen on {address}: ")),
        "{error}"
    );
}

#[test]
fn a_worker_that_cannot_be_built_is_named() {
    let mut config = config("[workers.w]\nprovider = \"openai\"\n[pipeline.stages.inference]\nworker = \"w\"\n");
    config.workers["w"].base_url = Some("nowhere".to_owned());
    let worker = spec(&config).for_core(&|_| None).map(drop);
    ends(
        worker.unwrap_err(),
        1,
        &expect!["error: workers.w.base_url: the base URL is not usable: relative URL without a base"],
    );
}

#[test]
fn a_route_that_cannot_be_built_is_named() {
    let mut config = config("[routes.r]\nprimary = [\"echo\"]\n");
    config.routes["r"].primary.push("nobody".to_owned());
    let built = Workers::build(&config, 1, &Env::system(), &registry());
    ends(
        built.unwrap_err(),
        78,
        &expect!["error: the route `r` names the worker `nobody`, which there is not"],
    );
}

#[test]
fn what_is_no_request_has_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.json");
    let plan = |body: &str| {
        std::fs::write(&file, body).unwrap();
        let error =
            crate::plan::plan(&config("[routes.r]\nmodels = [\"m\"]\nprimary = [\"echo\"]\n"), &file).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        error.to_string().replace(&file.display().to_string(), "FILE")
    };
    let asks = |model: &str| format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"x"}}]}}"#);
    expect!["error: FILE: No worker serves the model that was asked for."].assert_eq(&plan(&asks("n")));
    expect!["error: FILE: `messages` must hold at least one message."].assert_eq(&plan("{}"));
    std::fs::remove_file(&file).unwrap();
    let gone = crate::plan::plan(&Config::dev(), &file).unwrap_err().to_string();
    assert!(gone.ends_with("No such file or directory (os error 2)"), "{gone}");
}

#[test]
fn logs_that_cannot_be_started_stop_the_program() {
    let mut config = Config::dev();
    config.telemetry.level = "loud".to_owned();
    let loaded = Loaded {
        config,
        warnings: Vec::new(),
    };
    ends(
        run(loaded).unwrap_err(),
        1,
        &expect![
            "error: telemetry.level: `loud` is neither error, warn, info, debug, trace or off nor a list like `info,orchestrator_dedup=debug`: `loud` is no level"
        ],
    );
}

#[test]
fn bugs_say_that_they_are_bugs() {
    let registry = registry();
    let register = || LineMetrics::register(registry.metrics());
    register().unwrap();
    ends(
        register().unwrap_err(),
        1,
        &expect!["error: metrics: Duplicate metrics collector registration attempted"],
    );
    ends(
        OrchestratorError::StageEnded("rag"),
        1,
        &expect!["error: the stage rag of a line ended by itself; this is a bug"],
    );
    ends(
        OrchestratorError::CoreEnded,
        1,
        &expect!["error: a core ended by itself; this is a bug"],
    );
}

#[test]
fn the_end_of_a_life_says_what_was_lost() {
    let source = io::Error::from_raw_os_error(11);
    let what = "a thread";
    ends(
        OrchestratorError::System { what, source },
        1,
        &expect!["error: the system refused a thread: Resource temporarily unavailable (os error 11)"],
    );
    ends(
        OrchestratorError::Dropped,
        1,
        &expect!["error: requests were dropped at the end of the grace period"],
    );
    ends(
        OrchestratorError::Interrupted,
        1,
        &expect!["error: ended by a second signal"],
    );
}

#[tokio::test]
async fn a_stage_that_ends_by_itself_ends_the_program_and_so_do_cores() {
    let config = config("[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n");
    let clock = Arc::new(|| Duration::ZERO);
    let start = || {
        log::start(
            &config.telemetry,
            log::Output::stderr(),
            clock.clone(),
            registry().metrics(),
        )
    };
    let logs = start().unwrap();
    let twice = OrchestratorError::from(start().map(drop).unwrap_err());
    assert_eq!(twice.to_string(), "error: logs were started before in this process");
    let (director, life) = life();
    let cores = cores(&config, logs, &life);
    director.enter(Stage::Ready);
    let error = cores.failed().await;
    assert!(matches!(error, OrchestratorError::StageEnded("rag")), "{error}");
    director.enter(Stage::Draining);
    cores.close();
    director.enter(Stage::Over);
    cores.end().await;
    let error = cores.failed().await;
    assert!(matches!(error, OrchestratorError::CoreEnded), "{error}");
}

/// A core whose line stands, but for a loop that is over.
fn cores(config: &Config, logs: Logs, life: &Life) -> Cores {
    let (registry, ledger) = (registry(), Ledger::new(1 << 20, 1 << 20, 10));
    let gateway = Gateway::bind(config.server.listen, config.server.admin_listen).unwrap();
    let addresses = (gateway.address().unwrap(), gateway.admin_address().unwrap());
    let doors = orchestrator_gateway::Parts {
        config: Arc::new(config.server.clone()),
        env: Env::system(),
        life: life.clone(),
        access: logs.access(),
        metrics: orchestrator_gateway::Metrics::register(registry.metrics()).unwrap(),
        registry: registry.clone(),
        admin_token: String::new().into(),
        control: Arc::new(|_| Default::default()),
        chaos: Arc::new(|_| Ok(())),
        models: Vec::new(),
        default_model: None,
    };
    let (config, line_ledger) = (config.clone(), ledger.clone());
    let build: Build = Box::new(move |tasks: Tasks| {
        let metrics = registry.metrics();
        let line = LineMetrics::register(metrics)?;
        let gate = orchestrator_pipeline::Metrics::register(metrics, line_ledger.clone())?;
        let parts = parts(&config, &registry, &line_ledger, gate.clone());
        let mut running = orchestrator_pipeline::start(parts, sizes(), line_ledger, tasks.clone(), (line, gate));
        running.drives.push((StageName::Rag, tasks.spawn(async {})));
        Ok(running)
    });
    Cores::start(vec![build], life, ledger, (addresses, logs), |lines| {
        gateway.open(doors, lines)
    })
    .unwrap()
}

fn parts(config: &Config, registry: &Registry, ledger: &Arc<Ledger>, gate: orchestrator_pipeline::Metrics) -> Parts {
    let (stages, metrics) = (&config.pipeline.stages, registry.metrics());
    let dedup = orchestrator_dedup::Metrics::register(metrics).unwrap();
    let rag = orchestrator_rag::Metrics::register(metrics).unwrap();
    let filters = orchestrator_post_process::Metrics::register(metrics).unwrap();
    let worker = spec(config).for_core(&|_| None).unwrap();
    Parts {
        dedup: Arc::new(orchestrator_dedup::Dedup::new(
            Live::fixed(Default::default()),
            ledger.clone(),
            dedup,
            Blocking::new(1),
        )),
        gate: Gate::new(Credits::of(1).port(), Live::fixed(Default::default()), gate),
        rag: Arc::new(orchestrator_rag::Rag::new(stages.rag.clone(), None, rag)),
        assemble: Arc::new(Assemble::build(&stages.assemble, Target::default(), Blocking::new(1)).unwrap()),
        inference: Arc::new(Inference::new(Arc::new(worker))),
        post_process: Arc::new(orchestrator_post_process::PostProcess::build(&stages.post_process, &filters).unwrap()),
        stream: Arc::new(orchestrator_stream::Stream),
    }
}

fn spec(config: &Config) -> WorkerSpec {
    let workers = config.workers_in_use();
    let (name, worker) = workers.first().unwrap();
    let metrics = orchestrator_inference::Metrics::register(registry().metrics()).unwrap();
    let stages = &config.pipeline.stages;
    WorkerSpec::new(name, worker.clone(), &stages.inference, (Env::system(), metrics))
}

fn sizes() -> Sizes {
    let one = || Size {
        width: Live::fixed(1),
        capacity: 1,
    };
    Sizes {
        dedup: one(),
        gate: one(),
        rag: one(),
        assemble: one(),
        inference: one(),
        post_process: one(),
        stream: one(),
    }
}
