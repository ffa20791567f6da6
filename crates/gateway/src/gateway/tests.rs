use super::*;
use std::error::Error as _;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[test]
fn free_ports_are_told() {
    let gateway = Gateway::bind(ANY, ANY).unwrap();
    let (data, control) = (gateway.address().unwrap(), gateway.admin_address().unwrap());
    assert!(data.port() != 0 && control.port() != 0 && data != control);
}

#[test]
fn an_address_that_is_taken_is_named_with_what_the_system_says() {
    let taken = Gateway::bind(ANY, ANY).unwrap();
    for address in [taken.address().unwrap(), taken.admin_address().unwrap()] {
        for (listen, admin_listen) in [(address, ANY), (ANY, address)] {
            let error = Gateway::bind(listen, admin_listen).unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("cannot listen on {address}: ")),
                "{error}"
            );
            assert!(matches!(&error, Error::Listen { address: at, .. } if *at == address));
            assert!(error.source().is_some());
        }
    }
}

#[test]
fn an_address_comes_free_with_its_listener() {
    let address = Gateway::bind(ANY, ANY).unwrap().address().unwrap();
    assert_eq!(Gateway::bind(address, ANY).unwrap().address(), Some(address));
}
