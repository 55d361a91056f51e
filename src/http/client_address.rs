//! Who the client is: the peer of the connection, unless the operator named what to trust instead.
//!
//! `X-Real-IP`, `Forwarded` and the left of `X-Forwarded-For` are what the client says about itself and are
//! never believed. Whatever doesn't read as exactly one address falls back to the peer.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use poem::http::{HeaderMap, HeaderValue};

use crate::config::ClientAddressSource;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address; IPv4-mapped IPv6 comes out as IPv4.
#[must_use]
pub fn client_address(headers: &HeaderMap, peer: IpAddr, source: &ClientAddressSource) -> IpAddr {
    let told = match source {
        ClientAddressSource::Peer => None,
        ClientAddressSource::Header(name) => from_header(headers, name),
        ClientAddressSource::ForwardedHops(hops) => from_hops(headers, usize::from(*hops)),
    };
    told.unwrap_or(peer).to_canonical()
}

/// Two values could be the proxy's and the client's: neither is taken.
fn from_header(headers: &HeaderMap, name: &str) -> Option<IpAddr> {
    let mut values = headers.get_all(name).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    address(only.to_str().ok()?)
}

/// Each trusted proxy appends the address it was called from, so the n-th from the right is what the outermost
/// of n proxies saw.
fn from_hops(headers: &HeaderMap, hops: usize) -> Option<IpAddr> {
    let place = hops.checked_sub(1)?;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let entries = lines.flat_map(|line: &HeaderValue| line.as_bytes().rsplit(|byte| *byte == b','));
    let entry = entries.skip(place).take(1).next()?;
    address(str::from_utf8(entry).ok()?)
}

/// An address alone, in brackets or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderName;

    use super::*;

    const PEER: &str = "198.51.100.9";

    fn found(lines: &[(&'static str, &str)], source: &ClientAddressSource) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
            headers.append(HeaderName::from_static(name), value);
        }
        client_address(&headers, PEER.parse().expect("an address"), source).to_string()
    }

    fn named() -> ClientAddressSource {
        ClientAddressSource::Header("cf-connecting-ip".to_owned())
    }

    #[test]
    fn forged_headers_change_nothing_unless_configured() {
        let forged = [
            ("x-real-ip", "203.0.113.1"),
            ("forwarded", "for=203.0.113.1"),
            ("x-forwarded-for", "203.0.113.1"),
            ("cf-connecting-ip", "203.0.113.1"),
            ("true-client-ip", "203.0.113.1"),
        ];
        assert_eq!(found(&forged, &ClientAddressSource::Peer), PEER);
        assert_eq!(found(&forged[..3], &named()), PEER);
        let without_hops = [forged[0], forged[1], forged[3], forged[4]];
        assert_eq!(found(&without_hops, &ClientAddressSource::ForwardedHops(1)), PEER);
    }

    #[test]
    fn a_named_header_is_believed_when_it_is_exactly_one_address() {
        for (value, expected) in [
            ("203.0.113.1", "203.0.113.1"),
            (" 203.0.113.1 ", "203.0.113.1"),
            ("203.0.113.1:4711", "203.0.113.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:203.0.113.1", "203.0.113.1"),
        ] {
            assert_eq!(found(&[("cf-connecting-ip", value)], &named()), expected, "{value}");
        }
        for garbage in [
            "",
            "203.0.113.1, 203.0.113.2",
            "203.0.113",
            "localhost",
            "[203.0.113.1]",
            "fe80::1%eth0",
            "\u{fc}",
        ] {
            assert_eq!(found(&[("cf-connecting-ip", garbage)], &named()), PEER, "{garbage}");
        }
    }

    #[test]
    fn a_named_header_that_comes_twice_is_not_believed() {
        let twice = [("cf-connecting-ip", "203.0.113.1"), ("cf-connecting-ip", "203.0.113.2")];
        assert_eq!(found(&twice, &named()), PEER);
    }

    #[test]
    fn hops_are_counted_from_the_right_over_all_lines() {
        let lines = [("x-forwarded-for", "203.0.113.1, 203.0.113.2"), ("x-forwarded-for", "203.0.113.3")];
        let hops = ClientAddressSource::ForwardedHops;
        assert_eq!(found(&lines, &hops(1)), "203.0.113.3");
        assert_eq!(found(&lines, &hops(2)), "203.0.113.2");
        assert_eq!(found(&lines, &hops(3)), "203.0.113.1");
        assert_eq!(found(&lines, &hops(4)), PEER, "fewer entries than proxies");
        assert_eq!(found(&lines, &hops(0)), PEER);
        assert_eq!(found(&[], &hops(1)), PEER);
    }

    #[test]
    fn what_a_client_forges_on_the_left_moves_nothing() {
        let source = ClientAddressSource::ForwardedHops(1);
        for forged in ["203.0.113.66", "garbage", "\u{fc}\u{fc}", ",,,,", "203.0.113.66, 203.0.113.67"] {
            let line = format!("{forged}, 203.0.113.3");
            assert_eq!(found(&[("x-forwarded-for", &line)], &source), "203.0.113.3", "{forged}");
        }
        let forged_line = [("x-forwarded-for", "203.0.113.66"), ("x-forwarded-for", "203.0.113.3")];
        assert_eq!(found(&forged_line, &source), "203.0.113.3");
    }

    #[test]
    fn garbage_at_the_trusted_place_falls_back_to_the_peer() {
        for garbage in ["203.0.113.1, unknown", "203.0.113.1,", "203.0.113.1, _hidden", "203.0.113.1, \u{fc}"]
        {
            let source = ClientAddressSource::ForwardedHops(1);
            assert_eq!(found(&[("x-forwarded-for", garbage)], &source), PEER, "{garbage}");
        }
    }

    #[test]
    fn a_mapped_peer_is_its_ipv4_address() {
        let peer = "::ffff:203.0.113.1".parse().expect("an address");
        let address = client_address(&HeaderMap::new(), peer, &ClientAddressSource::Peer);
        assert_eq!(address.to_string(), "203.0.113.1");
    }
}
