//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public addresses only.
    Public,
    /// Private networks and this machine as well.
    Private,
}

impl Reach {
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match kind(address) {
            Kind::Public => true,
            Kind::Private => self == Self::Private,
            Kind::Never => false,
        }
    }
}

/// Whether a connection may be made that is not HTTP: to public addresses, and to private ones if that is allowed.
pub(crate) fn may_connect(address: IpAddr, private_too: bool) -> bool {
    let reach = if private_too { Reach::Private } else { Reach::Public };
    reach.allows(address)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    /// Networks that only their members reach, this machine among them.
    Private,
    /// Link-local addresses, where clouds give credentials to whoever asks, and addresses of no single machine.
    Never,
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| kind_v6(v6), kind_v4),
    }
}

/// The special registries of IANA (RFC 6890 and what updates it), and the metadata services outside them.
fn kind_v4(v4: Ipv4Addr) -> Kind {
    match v4.octets() {
        // Alibaba Cloud's and Oracle Cloud's metadata.
        [169, 254, _, _] | [100, 100, 100, 200] | [192, 0, 0, 192] => Kind::Never,
        [224..=239, _, _, _] | [255, 255, 255, 255] => Kind::Never,
        [0 | 10 | 127 | 240..=255, _, _, _] => Kind::Private,
        [100, 64..=127, _, _] | [172, 16..=31, _, _] | [192, 168, _, _] | [198, 18..=19, _, _] => Kind::Private,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Private,
        _ => Kind::Public,
    }
}

fn kind_v6(v6: Ipv6Addr) -> Kind {
    match v6.segments() {
        [0xfe80..=0xfebf, ..] | [0xff00..=0xffff, ..] => Kind::Never,
        // The metadata services of Amazon and Google.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Kind::Never,
        // This machine and the unspecified address, unique local, the old site local.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] | [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Kind::Private,
        // Local NAT64, discard-only, documentation, benchmarking, ORCHID, Teredo.
        [0x64, 0xff9b, 1, ..]
        | [0x100, 0, 0, 0, ..]
        | [0x2001, 0xdb8, ..]
        | [0x3fff, 0..=0xfff, ..]
        | [0x2001, 0..=0x1ff, ..] => Kind::Private,
        _ => Kind::Public,
    }
}

/// The IPv4 address that an IPv6 address ends at: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for (kind_of, texts) in [
            (
                Kind::Public,
                vec![
                    "1.1.1.1",
                    "8.8.8.8",
                    "172.32.0.1",
                    "100.128.0.1",
                    "192.0.1.1",
                    "2606:4700::1111",
                    "2002:808:808::1",
                    "64:ff9b::808:808",
                    "::ffff:8.8.8.8",
                    "2a00::1",
                ],
            ),
            (
                Kind::Private,
                vec![
                    "127.0.0.1",
                    "127.255.0.1",
                    "0.0.0.0",
                    "0.1.2.3",
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "198.18.0.1",
                    "192.0.2.1",
                    "240.0.0.1",
                    "::1",
                    "::",
                    "fc00::1",
                    "fd12:3456::1",
                    "fec0::1",
                    "::ffff:127.0.0.1",
                    "::ffff:10.0.0.1",
                    "64:ff9b::7f00:1",
                    "2002:7f00:1::",
                    "2002:c0a8:101::1",
                    "::127.0.0.1",
                    "2001:db8::1",
                    "64:ff9b:1::1",
                    "2001::1",
                ],
            ),
            (
                Kind::Never,
                vec![
                    "169.254.169.254",
                    "169.254.0.1",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                    "2002:a9fe:a9fe::",
                    "fe80::1",
                    "febf::1",
                    "fd00:ec2::254",
                    "fd20:ce::254",
                    "100.100.100.200",
                    "192.0.0.192",
                    "224.0.0.1",
                    "255.255.255.255",
                    "ff02::1",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(kind(text.parse().expect("an address")), kind_of, "{text}");
            }
        }
    }

    #[test]
    fn reach_decides_about_private_ones_only() {
        let ip = |text: &str| text.parse().expect("an address");
        for (text, public, private) in [("1.1.1.1", true, true), ("10.0.0.1", false, true), ("169.254.169.254", false, false)] {
            assert_eq!((Reach::Public.allows(ip(text)), Reach::Private.allows(ip(text))), (public, private), "{text}");
        }
    }
}
