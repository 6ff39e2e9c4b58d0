//! Networks: `192.168.7.31/24` and what follows from it; IPv4 and IPv6 alike.

use super::wrong;
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use minijinja::{Environment, Error, Value};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("network", |value: &Value| read("network", value).and_then(network));
    environment.add_filter("address", |value: &Value| read("address", value).map(|net| net.ip().to_string()));
    environment.add_filter("netmask", |value: &Value| read("netmask", value).map(|net| net.mask().to_string()));
    environment.add_filter("prefixlen", |value: &Value| read("prefixlen", value).map(|net| net.prefix()));
    environment.add_filter("broadcast", |value: &Value| read("broadcast", value).and_then(broadcast));
    environment.add_filter("host", |value: &Value, number: i64| host(read("host", value)?, number));
    environment.add_filter("in_network", in_network);
}

/// An address with or without its prefix.
fn read(filter: &str, value: &Value) -> Result<IpNetwork, Error> {
    let example = "`192.168.7.1/24` or `fd00::1/64`";
    let Some(text) = value.as_str() else {
        return Err(match value.is_undefined() {
            true => Error::from(minijinja::ErrorKind::UndefinedError),
            false => wrong(format!("`{filter}` wants an address like {example}, not a {}", value.kind())),
        });
    };
    text.trim().parse().map_err(|_| wrong(format!("`{filter}` wants an address like {example}, not `{text}`")))
}

/// The network with its prefix: `192.168.7.0/24`. `| network | address` is without.
fn network(net: IpNetwork) -> Result<String, Error> {
    IpNetwork::new(net.network(), net.prefix()).map(|net| net.to_string()).map_err(|error| wrong(error.to_string()))
}

fn broadcast(net: IpNetwork) -> Result<String, Error> {
    match net {
        IpNetwork::V4(net) => Ok(net.broadcast().to_string()),
        IpNetwork::V6(net) => Err(wrong(format!("IPv6 has no broadcast address, and `{net}` is IPv6"))),
    }
}

/// The address `number` places after the network's first, or before the one after its last: `host(1)`, `host(-2)`.
fn host(net: IpNetwork, number: i64) -> Result<String, Error> {
    let outside = || wrong(format!("`{net}` has no host {number}"));
    let (first, last) = match net {
        IpNetwork::V4(net) => ends4(net),
        IpNetwork::V6(net) => ends6(net),
    };
    let distance = u128::from(number.unsigned_abs());
    let found = match number < 0 {
        false => first.checked_add(distance),
        true => last.checked_sub(distance - 1),
    };
    let found = found.filter(|found| (first..=last).contains(found)).ok_or_else(outside)?;
    Ok(match net {
        IpNetwork::V4(_) => u32::try_from(found).map(|bits| Ipv4Addr::from(bits).to_string()).map_err(|_| outside())?,
        IpNetwork::V6(_) => Ipv6Addr::from(found).to_string(),
    })
}

fn ends4(net: Ipv4Network) -> (u128, u128) {
    (u32::from(net.network()).into(), u32::from(net.broadcast()).into())
}

fn ends6(net: Ipv6Network) -> (u128, u128) {
    let first = u128::from(net.network());
    (first, first | !u128::from(net.mask()))
}

/// Whether an address, or a whole network, lies in `outer`.
fn in_network(value: &Value, outer: &Value) -> Result<bool, Error> {
    let (inner, outer) = (read("in_network", value)?, read("in_network", outer)?);
    let same_sort = matches!(
        (inner.ip(), outer.ip()),
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_))
    );
    Ok(same_sort && inner.prefix() >= outer.prefix() && outer.contains(inner.ip()))
}
