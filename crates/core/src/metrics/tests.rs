use super::*;
use crate::edge;
use prometheus::TextEncoder;

fn shown(registry: &Registry) -> Vec<String> {
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("_bucket"));
    lines.map(str::to_owned).collect()
}

#[test]
fn edges_of_all_lines_are_counted_together_and_forgotten_when_they_go() {
    let registry = Registry::new();
    let metrics = LineMetrics::register(&registry).unwrap();
    let lines = [edge::<u8>(3), edge::<u8>(4)];
    for (nth, (_, inlet)) in lines.iter().enumerate() {
        metrics.watch(StageName::Rag, inlet, 3 + nth);
    }
    let [one, other] = lines;
    assert_eq!(
        shown(&registry),
        [
            "orchestrator_queue_capacity{stage=\"rag\"} 7",
            "orchestrator_queue_depth{stage=\"rag\"} 0"
        ]
    );
    drop(one);
    assert_eq!(shown(&registry)[0], "orchestrator_queue_capacity{stage=\"rag\"} 4");
    drop(other);
    assert!(shown(&registry).is_empty());
    assert_eq!(format!("{:?}", metrics.depths), "Depths { edges: 0 }");
}

#[test]
fn queues_are_told_by_stage_as_long_as_an_edge_of_it_lives() {
    let metrics = LineMetrics::register(&Registry::new()).unwrap();
    let queue = |stage, capacity| Queue {
        stage,
        depth: 0,
        capacity,
    };
    let edges = [edge::<u8>(3), edge::<u8>(4), edge::<u8>(5)];
    let stages = [StageName::Rag, StageName::Gate, StageName::Rag];
    for (stage, (nth, (_, inlet))) in stages.into_iter().zip(edges.iter().enumerate()) {
        metrics.watch(stage, inlet, 3 + nth);
    }
    let [first, second, third] = edges;
    assert_eq!(metrics.queues(), [queue(StageName::Rag, 8), queue(StageName::Gate, 4)]);
    drop(first);
    assert_eq!(metrics.queues(), [queue(StageName::Gate, 4), queue(StageName::Rag, 5)]);
    assert_eq!(
        format!("{:?}", metrics.depths),
        "Depths { edges: 3 }",
        "a look forgets nothing"
    );
    drop((second, third));
    assert_eq!(metrics.queues(), []);
}

#[test]
fn a_stage_shows_its_durations_and_its_panics() {
    let registry = Registry::new();
    let stage = LineMetrics::register(&registry).unwrap().stage(StageName::Dedup);
    stage.worked(Duration::from_millis(20));
    stage.worked(Duration::from_millis(40));
    stage.panicked();
    assert_eq!(
        shown(&registry),
        [
            "orchestrator_stage_duration_seconds_sum{stage=\"dedup\"} 0.06",
            "orchestrator_stage_duration_seconds_count{stage=\"dedup\"} 2",
            "orchestrator_stage_panics_total{stage=\"dedup\"} 1",
        ]
    );
}

#[test]
fn the_families_are_registered_once_a_registry() {
    let registry = Registry::new();
    assert!(LineMetrics::register(&registry).is_ok());
    assert!(LineMetrics::register(&registry).is_err());
}
