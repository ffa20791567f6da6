use super::*;
use crate::fixtures::{Library, warnings};
use prometheus::{Registry, TextEncoder};
use std::{fs, sync::mpsc};
use tokio::time::timeout;

mod series;

/// A folder with the index over it.
struct Searched {
    library: Library,
    registry: Registry,
    index: Arc<Index>,
}

impl Searched {
    /// Not yet built.
    fn open(files: &[(&str, &str)]) -> Self {
        let library = Library::new(files);
        let registry = Registry::new();
        let config = Config {
            refresh_s: 3,
            max_file_bytes: 1000,
            ..library.config()
        };
        let metrics = Metrics::register(&registry).unwrap();
        let index = Index::open(&config, Blocking::new(1), metrics).unwrap().unwrap();
        Searched {
            library,
            registry,
            index,
        }
    }

    fn built(files: &[(&str, &str)]) -> Self {
        let searched = Searched::open(files);
        searched.index.refresh().unwrap();
        searched
    }

    async fn find(&self, question: &str) -> Vec<String> {
        let found = self.index.retrieve(question, 10).await.unwrap();
        found.iter().map(|passage| passage.source.to_string()).collect()
    }

    fn metric(&self, name: &str) -> String {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or("none").to_owned()
    }

    fn builds(&self) -> String {
        self.metric(r#"orchestrator_index_builds_total{outcome="ok"}"#)
    }

    fn faults(&self) -> String {
        self.metric(r#"orchestrator_index_builds_total{outcome="failed"}"#)
    }

    /// Takes the folder away, until [`Searched::put_back`].
    fn take_away(&self) {
        let path = self.library.path("");
        fs::rename(&path, path.with_extension("away")).unwrap();
    }

    fn put_back(&self) {
        let path = self.library.path("");
        fs::rename(path.with_extension("away"), &path).unwrap();
    }

    /// Runs `script` while the folder is followed.
    async fn follow(&self, script: impl Future<Output = ()>) {
        tokio::select! {
            () = self.index.clone().follow() => panic!("it follows for ever"),
            () = script => {}
        }
    }
}

/// Looks each second whether something holds; the clock stands while a thread builds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..100 {
        if holds().await {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn a_folder_is_searched_as_soon_as_it_is_read() {
    let searched = Searched::built(&[("a.md", "# Cats\nthey purr\n# Dogs\nthey bark"), ("b.md", "birds sing")]);
    assert_eq!(searched.find("who purrs?").await, ["a.md#Cats"]);
    assert_eq!(searched.metric("orchestrator_index_files"), "2");
    assert_eq!(searched.metric("orchestrator_index_passages"), "3");
    assert_eq!(searched.metric("orchestrator_index_skipped_files"), "0");
    assert_eq!(searched.builds(), "1");
}

#[tokio::test]
async fn a_refresh_sees_new_changed_and_deleted_files() {
    let searched = Searched::built(&[("a.md", "apples")]);
    searched.index.refresh().unwrap();
    assert_eq!(searched.builds(), "1", "nothing has changed");
    searched.library.write("b.md", "bananas");
    searched.index.refresh().unwrap();
    assert_eq!(searched.find("banana").await, ["b.md"]);
    searched.library.write("b.md", "now about cherries");
    searched.index.refresh().unwrap();
    assert!(searched.find("banana").await.is_empty());
    assert_eq!(searched.find("cherry").await, ["b.md"]);
    fs::remove_file(searched.library.path("a.md")).unwrap();
    searched.index.refresh().unwrap();
    assert!(searched.find("apple").await.is_empty());
    assert_eq!(
        (
            searched.builds().as_str(),
            searched.metric("orchestrator_index_files").as_str()
        ),
        ("4", "1")
    );
}

#[tokio::test]
async fn a_folder_that_vanishes_leaves_the_index_as_it_was_and_its_return_is_no_change() {
    let searched = Searched::built(&[("a.md", "apples")]);
    searched.take_away();
    assert!(matches!(searched.index.refresh(), Err(Error::Folder { .. })));
    assert_eq!(searched.find("apple").await, ["a.md"]);
    searched.put_back();
    searched.index.refresh().unwrap();
    assert_eq!(searched.builds(), "1");
}

#[tokio::test(start_paused = true)]
async fn the_folder_is_read_at_once_and_then_followed() {
    let searched = Searched::open(&[("a.md", "apples")]);
    let script = async {
        assert_eq!(
            searched.find("apple").await,
            ["a.md"],
            "a question waits for the first build"
        );
        searched.library.write("b.md", "bananas");
        until("the new file is found", async || {
            searched.find("banana").await == ["b.md"]
        })
        .await;
    };
    searched.follow(script).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_waits_for_the_first_build() {
    let searched = Searched::open(&[("a.md", "apples")]);
    let early = timeout(Duration::from_secs(600), searched.find("apple"));
    assert!(early.await.is_err(), "nobody builds");
    let build = async {
        sleep(Duration::from_secs(5)).await;
        searched.index.refresh().unwrap();
    };
    let (found, ()) = tokio::join!(searched.find("apple"), build);
    assert_eq!(found, ["a.md"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_first_build_that_failed_questions_fail_at_once_until_one_succeeds() {
    let searched = Searched::open(&[("a.md", "apples")]);
    searched.take_away();
    let script = async {
        let failure = searched.index.retrieve("apple", 5).await.unwrap_err();
        assert_eq!(failure.code(), Code::RetrievalFailed);
        searched.put_back();
        until("it is searched again", async || {
            searched.index.retrieve("apple", 5).await.is_ok()
        })
        .await;
        assert_eq!(searched.find("apple").await, ["a.md"]);
    };
    searched.follow(script).await;
}

#[tokio::test(start_paused = true)]
async fn a_lasting_fault_is_counted_each_time_and_ends_with_the_return_of_the_folder() {
    let searched = Searched::built(&[("a.md", "apples")]);
    searched.take_away();
    let script = async {
        until("three faults", async || searched.faults() == "3").await;
        assert_eq!(searched.find("apple").await, ["a.md"], "as it was");
        searched.put_back();
        searched.library.write("b.md", "bananas");
        until("the new file is found", async || {
            searched.find("banana").await == ["b.md"]
        })
        .await;
    };
    searched.follow(script).await;
}

#[test]
fn a_lasting_fault_is_told_once() {
    let searched = Searched::built(&[]);
    let told = warnings(|| {
        let first = searched.index.tell_broken("boom", false);
        searched.index.tell_broken("boom", first);
    });
    assert_eq!(told, [r#"WARN the index stays as it was error="boom""#]);
    assert_eq!(searched.faults(), "2");
}

#[test]
fn what_is_not_searched_is_said_in_one_line_and_again_only_when_it_changes() {
    let large = "x".repeat(2000);
    let searched = Searched::open(&[("a.md", "a"), ("b.md", &large), ("c.md", &large)]);
    let refresh = || searched.index.refresh().unwrap();
    assert_eq!(
        warnings(refresh),
        [r#"WARN some files are not searched files=2 example="b.md: it is larger than `max_file_bytes`""#]
    );
    assert_eq!(warnings(refresh), [""; 0], "no change, no build");
    searched.library.write("a.md", "apples");
    assert_eq!(warnings(refresh), [""; 0], "a build that leaves out the same");
    searched.library.write("b.md", "bananas");
    assert_eq!(
        warnings(refresh),
        [r#"WARN some files are not searched files=1 example="c.md: it is larger than `max_file_bytes`""#]
    );
    fs::remove_file(searched.library.path("c.md")).unwrap();
    assert_eq!(warnings(refresh), [""; 0]);
    assert_eq!(searched.metric("orchestrator_index_skipped_files"), "0");
    assert_eq!(searched.builds(), "4");
}

/// Occupies the place where the index is built while `script` runs.
async fn during_a_build(searched: &Searched, script: impl Future<Output = ()>) {
    let (end, ended) = mpsc::sync_channel::<()>(1);
    let build = searched.index.builds.run(move || ended.recv());
    let script = async {
        script.await;
        end.send(()).unwrap();
    };
    let (built, ()) = tokio::join!(build, script);
    built.unwrap().unwrap();
}

#[tokio::test]
async fn a_long_build_takes_no_place_of_the_searches() {
    let searched = Searched::built(&[("a.md", "apples")]);
    let script = async {
        for _ in 0..3 {
            assert_eq!(
                searched.find("apple").await,
                ["a.md"],
                "the only place for searches is free"
            );
        }
    };
    during_a_build(&searched, script).await;
}

#[tokio::test]
async fn one_build_runs_at_once() {
    let searched = Searched::open(&[]);
    let script = async {
        let second = searched.index.builds.run(|| ());
        let others = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { _ = second => panic!("two at once"), () = others => {} }
    };
    during_a_build(&searched, script).await;
    searched.index.builds.run(|| ()).await.unwrap();
}

#[test]
fn without_a_folder_or_switched_off_there_is_no_index() {
    let off = Config {
        enabled: false,
        ..Library::new(&[]).config()
    };
    for config in [off, Config::default()] {
        let metrics = Metrics::register(&Registry::new()).unwrap();
        assert!(Index::open(&config, Blocking::new(1), metrics).unwrap().is_none());
    }
}

#[test]
fn a_missing_folder_is_an_error_at_the_start() {
    let config = Config {
        folder: Some("/nowhere/at/all".into()),
        ..Config::default()
    };
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let error = Index::open(&config, Blocking::new(1), metrics).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the folder /nowhere/at/all cannot be read: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn a_question_that_comes_during_a_rebuild_sees_the_old_files_or_the_new_ones() {
    let searched = Searched::built(&[("a.md", "apples version1")]);
    let (index, file) = (searched.index.clone(), searched.library.path("a.md"));
    let rebuilds = std::thread::spawn(move || {
        for version in 2..8 {
            let text = format!("apples version{version} {}", "x ".repeat(version));
            fs::write(&file, text).unwrap();
            index.refresh().unwrap();
        }
    });
    for _ in 0..50 {
        // A file is empty while it is written anew.
        let found = searched.find("apple").await;
        assert!(found.is_empty() || found == ["a.md"], "{found:?}");
    }
    rebuilds.join().unwrap();
    assert_eq!(searched.find("version7").await, ["a.md"]);
}
