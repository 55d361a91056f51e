//! The settings about how clients reach the service: its public address and where their own is found.

use url::{Host, Url};

use super::ClientAddressSource;
use super::reader::Reader;
use super::setting::{CLIENT_ADDRESS_HEADER, PUBLIC_URL, TRUSTED_PROXY_HOPS};

/// Longest header name taken, in characters.
const MAX_HEADER_CHARS: usize = 64;

/// `PUBLIC_URL` as scheme, host and possibly port.
pub(super) fn public_url(reader: &mut Reader<'_>) -> Option<String> {
    let found = reader.text(&PUBLIC_URL)?;
    let url = Url::parse(found.text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        reader.refuse(&PUBLIC_URL, found);
        return None;
    };
    let extra = if !url.username().is_empty() || url.password().is_some() {
        Some("has a user or password")
    } else if url.path() != "/" {
        Some("has a path")
    } else if url.query().is_some() || url.fragment().is_some() {
        Some("has a query or fragment")
    } else {
        None
    };
    if let Some(shape) = extra {
        reader.problem(found.name, shape, format!("set it to {}", PUBLIC_URL.accepts));
    }
    Some(url.origin().ascii_serialization())
}

/// `CLIENT_ADDRESS_HEADER` or `TRUSTED_PROXY_HOPS`, not both.
pub(super) fn client_address(reader: &mut Reader<'_>) -> ClientAddressSource {
    let header = header_name(reader);
    let hops = reader.optional_number(&TRUSTED_PROXY_HOPS);
    match (header, hops) {
        (Some(_), Some(_)) => {
            reader.problem(
                CLIENT_ADDRESS_HEADER.name,
                format!("is set together with {}", TRUSTED_PROXY_HOPS.name),
                "keep the one your proxy supports and remove the other",
            );
            ClientAddressSource::Peer
        }
        (Some(header), None) => ClientAddressSource::Header(header),
        (None, Some(hops)) => ClientAddressSource::ForwardedHops(hops),
        (None, None) => ClientAddressSource::Peer,
    }
}

fn header_name(reader: &mut Reader<'_>) -> Option<String> {
    let found = reader.text(&CLIENT_ADDRESS_HEADER)?;
    let name = found.text.to_ascii_lowercase();
    if matches!(name.as_str(), "x-forwarded-for" | "forwarded") {
        reader.problem(
            found.name,
            format!("is {name}, a list that clients can start themselves"),
            "set TRUSTED_PROXY_HOPS to the number of proxies in front instead",
        );
    } else if name.len() > MAX_HEADER_CHARS || !name.bytes().all(is_header_byte) {
        reader.refuse(&CLIENT_ADDRESS_HEADER, found);
    }
    Some(name)
}

/// The characters of a header name (`token` in RFC 9110) that are in use.
fn is_header_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// True for a host that is this machine: `localhost`, its usual twins and loopback addresses.
pub(super) fn is_local_host(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if matches!(name.as_str(), "localhost" | "localhost.localdomain" | "ip6-localhost" | "ip6-loopback") {
        return true;
    }
    match name.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => false,
    }
}

/// True when the public address is plain HTTP to another machine.
pub(super) fn is_plain_and_remote(public_url: &str) -> bool {
    let url = Url::parse(public_url).ok().filter(|url| url.scheme() == "http");
    url.is_some_and(|url| match url.host() {
        Some(Host::Domain(name)) => !is_local_host(name),
        Some(Host::Ipv4(address)) => !address.is_loopback(),
        Some(Host::Ipv6(address)) => !address.is_loopback(),
        None => false,
    })
}
