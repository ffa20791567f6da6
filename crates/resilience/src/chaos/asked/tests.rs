use super::*;
use proptest::prelude::*;

const WORKERS: [&str; 3] = ["fast", "strong", "eu/llama"];

fn read(words: &str) -> Result<Asked, Vec<String>> {
    Asked::read(words, WORKERS)
}

#[test]
fn every_key_is_read() {
    let asked = read(
        " worker = fast ; latency=0.5; latency_min_ms=1; latency_max_ms=2; failure=0.25; status=429; cut=1; \
         cut_after_tokens=3; trickle=1; trickle_ms=7; seed=42; ",
    );
    let faults = WorkerFaults {
        latency: 0.5,
        latency_min_ms: 1,
        latency_max_ms: 2,
        failure: 0.25,
        status: 429,
        cut: 1.0,
        cut_after_tokens: 3,
        trickle: 1.0,
        trickle_ms: 7,
    };
    let expected = Asked {
        worker: Some("fast".to_owned()),
        seed: Some(42),
        faults,
    };
    assert_eq!(asked.unwrap(), expected);
}

#[test]
fn what_is_not_said_is_as_in_the_configuration() {
    let asked = read("failure=1").unwrap();
    assert_eq!((asked.worker.as_deref(), asked.seed), (None, None));
    let usual = WorkerFaults {
        failure: 1.0,
        ..WorkerFaults::default()
    };
    assert_eq!(asked.faults, usual);
    assert_eq!(read("").unwrap().faults, WorkerFaults::default());
}

#[test]
fn who_names_no_worker_or_all_means_each() {
    for words in ["failure=1", "worker=*; failure=1"] {
        assert!(
            WORKERS.iter().all(|worker| read(words).unwrap().means(worker)),
            "{words}"
        );
    }
    let one = read("worker=eu/llama; failure=1").unwrap();
    assert!(one.means("eu/llama") && !one.means("fast"));
}

#[test]
fn what_is_wrong_is_told_all_at_once() {
    let table = [
        ("failur=1", vec!["`failur` is unknown; did you mean `failure`?"]),
        ("wroker=fast", vec!["`wroker` is unknown; did you mean `worker`?"]),
        ("failure=1.5", vec!["`failure` is 1.5; it takes numbers from 0 to 1."]),
        (
            "failure=often",
            vec![r#"`failure` is "often"; it takes numbers from 0 to 1."#],
        ),
        (
            "status=200",
            vec!["`status` is 200; it takes whole numbers from 400 to 599."],
        ),
        (
            "seed=-1",
            vec!["`seed` is -1; it takes whole numbers from 0 to 9007199254740991."],
        ),
        (
            "cut",
            vec!["`cut` has no value: write `key=value`, with `;` between them."],
        ),
        ("cut=1; cut=0", vec!["`cut` stands there twice."]),
        ("worker=fats", vec!["No worker is called `fats`. Did you mean `fast`?"]),
        ("worker=503", vec!["No worker is called `503`."]),
        (
            "latency_min_ms=2; latency_max_ms=1",
            vec!["`latency_min_ms` is 2; `latency_max_ms` is less: 1."],
        ),
        (
            "worker=x; status=1; cut=2; nonsense",
            vec![
                "`nonsense` has no value: write `key=value`, with `;` between them.",
                "`status` is 1; it takes whole numbers from 400 to 599.",
                "`cut` is 2; it takes numbers from 0 to 1.",
                "No worker is called `x`.",
            ],
        ),
    ];
    for (words, findings) in table {
        assert_eq!(read(words).unwrap_err(), findings, "{words}");
    }
}

/// Probabilities that a decimal text tells exactly.
fn permille() -> impl Strategy<Value = f64> {
    (0..=1_000_u16).prop_map(|permille| f64::from(permille) / 1_000.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_header_is_read_as_something_out_of_range(words in "([a-z_]{0,16}=?[-0-9.a-z\"{}]{0,6};? ?){0,4}") {
        if let Ok(Asked { faults, .. }) = read(&words) {
            for probability in [faults.latency, faults.failure, faults.cut, faults.trickle] {
                prop_assert!((0.0..=1.0).contains(&probability), "{}", words);
            }
            prop_assert!((400..=599).contains(&faults.status) && faults.cut_after_tokens > 0);
        }
    }

    #[test]
    fn faults_that_are_written_as_a_header_are_read_as_they_were(
        (latency, failure, cut) in (permille(), permille(), permille()),
        (least, more, status, tokens) in (0..9_u64, 0..9_u64, 400..=599_u16, 1..99_u64),
        seed in 0..=(1_u64 << 53) - 1,
    ) {
        let faults = WorkerFaults {
            latency,
            latency_min_ms: least,
            latency_max_ms: least + more,
            failure,
            status,
            cut,
            cut_after_tokens: tokens,
            ..WorkerFaults::default()
        };
        let written = serde_json::to_value(&faults).unwrap();
        let pairs = written.as_object().unwrap().iter().map(|(key, value)| format!("{key}={value}"));
        let words = pairs.chain([format!("seed={seed}")]).collect::<Vec<_>>().join("; ");
        prop_assert_eq!(read(&words), Ok(Asked { worker: None, seed: Some(seed), faults }));
    }
}
