//! Where an origin is: looked up once, before the run, in the owner's own entries or in the DNS.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::plan::Resolve;
use crate::scenario::Origin;

/// The addresses of an origin, used in turn. None when it could not be found: why.
pub type Found = Result<Vec<SocketAddr>, String>;

/// Looks an origin up.
pub fn resolve(origin: &Origin, entries: &[Resolve]) -> Found {
    let own: Vec<SocketAddr> = entries
        .iter()
        .filter(|entry| is_for(entry, origin))
        .map(|entry| SocketAddr::new(entry.address, entry.to_port.unwrap_or(origin.port)))
        .collect();
    if !own.is_empty() {
        return Ok(own);
    }
    let host = origin.host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, origin.port)]);
    }
    match (host, origin.port).to_socket_addrs() {
        Ok(found) => Ok(each_once(found)),
        Err(error) => Err(format!("{host} cannot be looked up: {error}")),
    }
}

fn is_for(entry: &Resolve, origin: &Origin) -> bool {
    entry.host.eq_ignore_ascii_case(&origin.host)
        && entry.port.is_none_or(|port| port == origin.port)
}

fn each_once(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(host: &str, port: u16) -> Origin {
        Origin {
            secure: false,
            host: host.to_owned(),
            port,
        }
    }

    fn entry(host: &str, port: Option<u16>, address: &str, to_port: Option<u16>) -> Resolve {
        Resolve {
            host: host.to_owned(),
            port,
            address: address.parse().unwrap(),
            to_port,
        }
    }

    #[test]
    fn entries_of_the_owner_come_before_the_dns_and_may_be_several() {
        let entries = [
            entry("shop.test", None, "127.0.0.2", None),
            entry("SHOP.test", Some(443), "::1", Some(8443)),
            entry("shop.test", Some(80), "127.0.0.9", None),
            entry("other.test", None, "127.0.0.3", None),
        ];
        let found = resolve(&origin("shop.test", 443), &entries).unwrap();
        let expected: Vec<SocketAddr> = vec![
            "127.0.0.2:443".parse().unwrap(),
            "[::1]:8443".parse().unwrap(),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_address_needs_no_dns() {
        let found = |host| resolve(&origin(host, 80), &[]).unwrap();
        assert_eq!(found("127.0.0.1"), ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(found("[::1]"), ["[::1]:80".parse().unwrap()]);
        assert!(!found("localhost").is_empty());
    }

    #[test]
    fn what_nobody_knows_says_its_name() {
        let why = resolve(&origin("nowhere.invalid", 80), &[]).unwrap_err();
        assert!(why.starts_with("nowhere.invalid cannot be looked up: "));
    }
}
