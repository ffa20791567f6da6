use super::*;

#[test]
fn as_many_as_the_system_allows_may_be_opened() {
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    raise_limit(1);
    let (soft, _) = rlimit::Resource::NOFILE.get().unwrap();
    assert_eq!(soft, hard);
}

#[test]
fn a_limit_below_the_connections_is_told_with_both_numbers() {
    assert_eq!(warning(Ok(20_128), 20_000), None);
    let told = warning(Ok(1024), 20_000).unwrap();
    assert!(told.contains("1024 files") && told.contains("[20000]"), "{told}");
    let told = warning(Err(io::Error::from(io::ErrorKind::PermissionDenied)), 1).unwrap();
    assert!(told.contains("cannot be raised: permission denied"), "{told}");
}
