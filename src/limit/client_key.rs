//! What a client is limited by: its IPv4 address or its IPv6 /64.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The part of an address that one client can't change at will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientKey {
    /// The whole address.
    V4(Ipv4Addr),
    /// The upper 64 bits: the smallest network a provider hands out.
    V6Prefix(u64),
}

impl From<IpAddr> for ClientKey {
    /// IPv4-mapped IPv6 (`::ffff:192.0.2.1`) is the IPv4 address it stands for.
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6Prefix(prefix(address)),
        }
    }
}

fn prefix(address: Ipv6Addr) -> u64 {
    let bits: u128 = address.to_bits();
    u64::try_from(bits >> 64).expect("the upper half of 128 bits is 64 bits")
}
