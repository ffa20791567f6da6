use super::*;
use crate::fixtures::Doors;
use orchestrator_testkit::{collect, request, scripted::Model};

#[tokio::test(start_paused = true)]
async fn a_request_goes_to_the_line_of_its_core() {
    let doors = Doors::before(Model::saying(["fine"]));
    let answer = doors.door.submit(request("x")).unwrap();
    assert_eq!(collect(answer).await.unwrap().0, "fine");
    assert_eq!(doors.door.elsewhere().core, 0, "there is but one");
}

#[tokio::test(start_paused = true)]
async fn a_core_without_a_line_refuses_instead_of_falling() {
    let doors = Doors::before(Model::saying(["fine"]));
    let astray = Door {
        core: 9,
        ..doors.door.clone()
    };
    assert_eq!(
        astray.submit(request("x")).err().map(|failure| failure.code()),
        Some(Code::Internal)
    );
}

#[tokio::test(start_paused = true)]
async fn parts_show_their_limits_and_no_secret() {
    let doors = Doors::before(Model::saying(["fine"]));
    let parts = Parts {
        admin_token: "open sesame".into(),
        ..doors.door.shared.parts.clone()
    };
    let shown = format!("{parts:?}");
    assert!(
        shown.contains("max_in_flight") && shown.contains("org/other"),
        "{shown}"
    );
    assert!(!shown.contains("sesame"), "{shown}");
}
