//! Retrieval, from files on disk to what the model reads.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fault in here shall end the test"
)]

use orchestrator_e2e::{Program, post};
use orchestrator_testkit::ModelServer;
use serde_json::Value;

const CHAT: &str = "/v1/chat/completions";

fn ask(program: &Program, question: &str) -> Option<String> {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{question}"}}]}}"#);
    let reply = post(program.address, CHAT, "", &body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.header("x-orchestrator-sources").map(str::to_owned)
}

/// The turns of the last call, as role and text.
fn turns(server: &ModelServer) -> Vec<(String, String)> {
    let received = server.received();
    let body: Value = serde_json::from_slice(&received.last().unwrap().body).unwrap();
    let turns = body["messages"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    turns
        .map(|turn| (text(&turn["role"]), text(&turn["content"])))
        .collect()
}

#[test]
fn passages_of_a_folder_ground_the_prompt_and_the_client_sees_their_sources() {
    let folder = tempfile::tempdir().unwrap();
    let shop = "# Refunds\nRefunds are paid within two weeks.\n\n# Shipping\nParcels leave on Mondays.\n";
    std::fs::write(folder.path().join("shop.md"), shop).unwrap();
    let server = ModelServer::start();
    let document = format!("[pipeline.stages.rag]\nfolder = {:?}\nrefresh_s = 1\n", folder.path());
    let program = Program::before(&server.url(), &document);
    assert_eq!(
        ask(&program, "When do I get my refund?").as_deref(),
        Some("shop.md#refunds")
    );
    let said = turns(&server);
    assert_eq!((&*said[0].0, &*said[1].0), ("system", "user"));
    assert!(
        said[0]
            .1
            .contains("[shop.md#Refunds]\n# Refunds\nRefunds are paid within two weeks."),
        "{}",
        said[0].1
    );
    assert!(!said[0].1.contains("Mondays"));

    assert_eq!(ask(&program, "zebra?"), None);
    assert_eq!(turns(&server), [("user".to_owned(), "zebra?".to_owned())]);

    // A file that comes later is found once the folder has been looked at again.
    std::fs::write(folder.path().join("zoo.txt"), "A zebra has stripes.").unwrap();
    let rebuilt = || program.metric(r#"orchestrator_index_builds_total{outcome="ok"}"#) >= 2.0;
    assert!((0..20_000).any(|_| rebuilt()));
    assert_eq!(ask(&program, "What has a zebra?").as_deref(), Some("zoo.txt"));
}

#[test]
fn a_folder_that_is_not_there_stops_the_start_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    std::fs::write(&file, "[pipeline.stages.rag]\nfolder = \"/not/there\"\n").unwrap();
    let ended = Program::output(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(78), "{}", ended.log);
    assert!(ended.log.contains("/not/there"), "{}", ended.log);
}
