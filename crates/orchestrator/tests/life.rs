//! The life of the process: how it starts, why it does not, and how it ends; each with its exit code.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use std::{
    io::Read,
    net::TcpListener,
    process::{Command, Stdio},
};
use support::{Document, Ended, Program, command};

/// A document whose line ends at once when it is told to.
const QUICK: &str = "[shutdown]\npre_stop_ms = 0\ngrace_ms = 10000\n";

/// The last line of the log that tells why the program ended, and the exit code.
fn reason(ended: &Ended) -> (Option<i32>, &str) {
    let mut lines = ended.stderr.lines().filter(|line| line.starts_with("error: "));
    (ended.code, lines.next_back().unwrap_or_default())
}

#[test]
fn it_says_where_it_listens_once_it_is_ready() {
    let program = Program::start(&format!("{QUICK}[server]\nthreads = 2\n"));
    let ready = program.started.last().unwrap();
    assert!(ready.contains(r#""cores":2"#), "{ready}");
    assert!(program.get("/readyz").starts_with("HTTP/1.1 200"));
    assert!(program.operate("/metrics").contains("orchestrator_build_info"));
}

#[test]
fn a_program_without_work_ends_well_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let program = Program::start(QUICK);
        program.signal(signal);
        let ended = program.wait();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.stderr.contains("leaving: SIGTERM or SIGINT"), "{ended:?}");
    }
}

#[test]
fn a_stream_that_runs_is_finished_before_the_program_ends() {
    let program = Program::start(&format!("{QUICK}[workers.echo]\nprovider = \"echo\"\ndelay_ms = 100\n"));
    let mut stream = program.streaming("one two three four five");
    program.signal("TERM");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("five") && rest.contains("[DONE]"), "{rest}");
    assert_eq!(program.wait().code, Some(0));
}

/// A question that is answered with more bytes than sockets hold on their way.
fn long_question() -> String {
    "word ".repeat(1 << 20)
}

#[test]
fn an_answer_that_is_ready_is_sent_to_a_slow_client_before_the_program_ends() {
    let mut program = Program::start(QUICK);
    let question = long_question();
    let mut answer = program.asking(&question);
    program.signal("TERM");
    program.says("leaving: SIGTERM or SIGINT");
    let mut rest = String::new();
    answer.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(question.trim_end()), "{} bytes", rest.len());
    assert_eq!(program.wait().code, Some(0));
}

#[test]
fn an_answer_that_is_not_taken_within_grace_is_dropped_and_said() {
    let program = Program::start("[shutdown]\npre_stop_ms = 0\ngrace_ms = 300\n");
    let answer = program.asking(&long_question());
    program.signal("TERM");
    assert_eq!(program.wait().code, Some(1));
    drop(answer);
}

#[test]
fn what_still_runs_at_the_end_of_grace_is_dropped_and_said() {
    let slow = "[shutdown]\npre_stop_ms = 0\ngrace_ms = 300\n[workers.echo]\nprovider = \"echo\"\ndelay_ms = 60000\n\
                [server]\nkeepalive_ms = 50\n";
    let program = Program::start(slow);
    let stream = program.streaming("never");
    program.signal("TERM");
    let ended = program.wait();
    let words = "error: requests were dropped at the end of the grace period";
    assert_eq!(reason(&ended), (Some(1), words), "{ended:?}");
    drop(stream);
}

#[test]
fn a_second_signal_quits_at_once() {
    let mut program = Program::start("[shutdown]\npre_stop_ms = 60000\ngrace_ms = 120000\n");
    program.signal("TERM");
    program.says("leaving: SIGTERM or SIGINT");
    program.signal("INT");
    assert_eq!(reason(&program.wait()), (Some(1), "error: ended by a second signal"));
}

#[test]
fn requests_are_taken_until_pre_stop_is_over() {
    let mut program = Program::start("[shutdown]\npre_stop_ms = 60000\ngrace_ms = 120000\n");
    program.signal("TERM");
    program.says("leaving: SIGTERM or SIGINT");
    assert!(
        program.get("/readyz").starts_with("HTTP/1.1 503"),
        "no balancer shall send more"
    );
    assert!(program.complete("still here").contains("still here"));
}

#[test]
fn a_busy_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let document = Document::new("");
    for flags in [("--listen", "--admin-listen"), ("--admin-listen", "--listen")] {
        let busy = address.to_string();
        let ended = document.ask(&["run", flags.0, &busy, flags.1, "127.0.0.1:0"]);
        let words = format!("error: cannot listen on {busy}: Address already in use (os error 98)");
        assert_eq!(reason(&ended), (Some(1), words.as_str()), "{ended:?}");
    }
}

#[test]
fn certificates_that_cannot_be_had_stop_the_start() {
    let text =
        "[pipeline.stages.inference]\nworker = \"w\"\n[workers.w]\nprovider = \"openai\"\nbase_url = \"https://h\"\n";
    let document = Document::new(text);
    let bad = document.folder().join("bad.pem");
    std::fs::write(&bad, "no certificate").unwrap();
    let mut run = document.command(&["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let ended = Ended::of(
        run.env("SSL_CERT_FILE", &bad)
            .env("SSL_CERT_DIR", document.folder().join("none")),
    );
    let (code, words) = reason(&ended);
    assert_eq!(code, Some(1), "{ended:?}");
    assert!(
        words.starts_with(
            "error: workers.w: no certificate authorities to check its server by; install ca-certificates"
        ),
        "{ended:?}"
    );
    // The document is right all the same: another machine has certificates.
    assert_eq!(document.ask(&["validate"]).code, Some(0));
}

#[test]
fn a_system_that_refuses_is_named() {
    let document = Document::new("");
    let program = env!("CARGO_BIN_EXE_orchestrator");
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 4; exec \"$0\" run \"$1\"", program])
        .arg(&document.file);
    let ended = Ended::of(limited.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()));
    let (code, words) = reason(&ended);
    assert_eq!(code, Some(1), "{ended:?}");
    assert!(words.starts_with("error: the system refused a runtime: "), "{ended:?}");
}

#[test]
fn a_folder_of_documents_that_is_not_there_is_a_wrong_configuration() {
    let ended = Document::new("[pipeline.stages.rag]\nfolder = \"/none/at/all\"\n").ask(&["run"]);
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("pipeline.stages.rag.folder"), "{ended:?}");
}

#[test]
fn warnings_of_the_document_are_logged_at_the_start() {
    let program = Program::start("[workers.spare]\nprovider = \"echo\"\n");
    let logged = program.started.concat();
    let line = logged
        .lines()
        .find(|line| line.contains("no route uses the worker `spare`"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{logged}"))).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!((&line["path"], &line["line"]), (&"workers.spare".into(), &1.into()));
}

#[test]
fn a_flag_goes_before_a_variable_and_that_before_the_document() {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (first, second, admin) = (free(), free(), free());
    let document = Document::new("[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\n");
    let mut run = document.command(&["run"]);
    run.env("ORCHESTRATOR__SERVER__LISTEN", first.to_string());
    run.env("ORCHESTRATOR_ADMIN_LISTEN", admin.to_string());
    let program = Program::spawn(&mut run);
    assert_eq!((program.address, program.admin), (first, admin));
    drop(program);
    let program = Program::spawn(run.args(["--listen", &second.to_string()]));
    assert_eq!((program.address, program.admin), (second, admin));
}

#[test]
fn dev_needs_nothing_and_says_how_to_ask() {
    let mut dev = command(["dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let program = Program::spawn(&mut dev);
    let words = program.started.concat();
    assert!(words.contains("curl http://127.0.0.1:"), "{words}");
    assert!(words.contains("export OPENAI_BASE_URL=http://127.0.0.1:"), "{words}");
    assert!(program.complete("Hello there").contains("Hello there"));
}
