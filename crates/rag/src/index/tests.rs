use super::*;
use prometheus::{Registry, TextEncoder};
use std::fs;
use tempfile::TempDir;

struct Library {
    folder: TempDir,
    registry: Registry,
    index: Arc<Index>,
}

impl Library {
    fn open(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let registry = Registry::new();
        let config = Config {
            folder: Some(folder.path().to_owned()),
            refresh_s: 3,
            ..Config::default()
        };
        let metrics = Metrics::register(&registry).unwrap();
        let index = Index::open(&config, Blocking::new(1), metrics).unwrap().unwrap();
        Library {
            folder,
            registry,
            index,
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
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
}

#[tokio::test]
async fn a_folder_is_searched_as_soon_as_it_is_open() {
    let library = Library::open(&[("a.md", "# Cats\nthey purr\n# Dogs\nthey bark"), ("b.md", "birds sing")]);
    assert_eq!(library.find("who purrs?").await, ["a.md#Cats"]);
    assert_eq!(library.metric("orchestrator_index_files"), "2");
    assert_eq!(library.metric("orchestrator_index_passages"), "3");
    assert_eq!(library.metric(r#"orchestrator_index_builds_total{outcome="ok"}"#), "1");
}

#[tokio::test]
async fn a_refresh_sees_new_changed_and_deleted_files() {
    let library = Library::open(&[("a.md", "apples")]);
    assert!(!library.index.refresh().unwrap(), "nothing has changed");
    library.write("b.md", "bananas");
    assert!(library.index.refresh().unwrap());
    assert_eq!(library.find("banana").await, ["b.md"]);
    library.write("b.md", "now about cherries");
    assert!(library.index.refresh().unwrap());
    assert!(library.find("banana").await.is_empty());
    assert_eq!(library.find("cherry").await, ["b.md"]);
    fs::remove_file(library.folder.path().join("a.md")).unwrap();
    assert!(library.index.refresh().unwrap());
    assert!(library.find("apple").await.is_empty());
    assert_eq!(library.metric("orchestrator_index_files"), "1");
}

#[tokio::test]
async fn a_folder_that_vanishes_leaves_the_index_as_it_was() {
    let library = Library::open(&[("a.md", "apples")]);
    let away = library.folder.path().with_extension("away");
    fs::rename(library.folder.path(), &away).unwrap();
    assert!(matches!(library.index.refresh(), Err(Error::Folder { .. })));
    assert_eq!(library.find("apple").await, ["a.md"]);
    fs::rename(&away, library.folder.path()).unwrap();
    assert!(!library.index.refresh().unwrap());
}

#[tokio::test]
async fn a_lasting_fault_is_told_once_and_counted_each_time() {
    let library = Library::open(&[]);
    let fault = || Err(Failure::new(Code::Internal, "boom"));
    let broken = library.index.tell(fault(), false);
    assert!(broken && library.index.tell(fault(), broken));
    assert_eq!(
        library.metric(r#"orchestrator_index_builds_total{outcome="failed"}"#),
        "2"
    );
    assert!(!library.index.tell(Ok(Ok(false)), broken), "it is over");
}

#[tokio::test(start_paused = true)]
async fn the_folder_is_followed() {
    let library = Library::open(&[("a.md", "apples")]);
    let follow = library.index.clone().follow();
    let script = async {
        library.write("b.md", "bananas");
        // Blocking threads do not stand still with the clock: bounded looks, until the rebuild is through.
        for _ in 0..1000 {
            sleep(Duration::from_secs(1)).await;
            if !library.find("banana").await.is_empty() {
                return;
            }
        }
        panic!("the new file was never seen");
    };
    tokio::select! { () = follow => panic!("it follows for ever"), () = script => {} }
}

#[test]
fn without_a_folder_or_switched_off_there_is_no_index() {
    let folder = tempfile::tempdir().unwrap();
    let off = Config {
        enabled: false,
        folder: Some(folder.path().to_owned()),
        ..Config::default()
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
    let library = Library::open(&[("a.md", "apples version1")]);
    let index = library.index.clone();
    let folder = library.folder.path().to_owned();
    let rebuilds = std::thread::spawn(move || {
        for version in 2..8 {
            fs::write(
                folder.join("a.md"),
                format!("apples version{version} {}", "x ".repeat(version)),
            )
            .unwrap();
            index.refresh().unwrap();
        }
    });
    for _ in 0..50 {
        assert_eq!(library.find("apple").await, ["a.md"]);
    }
    rebuilds.join().unwrap();
    assert_eq!(library.find("version7").await, ["a.md"]);
}
