//! Addresses to listen on, and binding them with an error that tells what to do.
//!
//! Must never pick another port than the one asked for: a program that listens somewhere else looks
//! dead to everybody who was told the address.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

/// Where to listen: `:8000` (all interfaces), `127.0.0.1:8000`, `[::1]:8000` or `localhost:8000`.
///
/// All interfaces means IPv6 and IPv4 by one socket where the system allows it (the default of
/// Linux, `net.ipv6.bindv6only=0`), and IPv4 alone where there is no IPv6. Port 0 lets the system
/// choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    All,
    V6(Ipv6Addr),
    /// An IPv4 address or a name to look up.
    Name(String),
}

/// A text that is not a [`ListenAddress`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseListenAddressError {
    /// There is no colon before a port.
    #[error("no port; write for example :8000, 127.0.0.1:8000 or [::1]:8000")]
    NoPort,
    /// What follows the last colon is not a port.
    #[error("`{0}` is not a port; a port is a number from 0 to 65535")]
    Port(String),
    /// What precedes the port is not a host.
    #[error("`{0}` is not a host; write a name, an IPv4 address, or an IPv6 address in brackets")]
    Host(String),
}

impl FromStr for ListenAddress {
    type Err = ParseListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(ParseListenAddressError::NoPort)?;
        Ok(Self { host: parse_host(host)?, port: parse_port(port)? })
    }
}

fn parse_host(text: &str) -> Result<Host, ParseListenAddressError> {
    let no_host = || ParseListenAddressError::Host(text.to_owned());
    if text.is_empty() {
        return Ok(Host::All);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(no_host)?;
        return inner.parse().map(Host::V6).map_err(|_| no_host());
    }
    // Underscores are no part of host names (RFC 1123) but of names in Compose networks.
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.chars().all(in_name) { Ok(Host::Name(text.to_owned())) } else { Err(no_host()) }
}

fn parse_port(text: &str) -> Result<u16, ParseListenAddressError> {
    // `u16::from_str` would accept a plus sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.ok_or_else(|| ParseListenAddressError::Port(text.to_owned()))
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::All => write!(f, ":{}", self.port),
            Host::V6(address) => write!(f, "[{address}]:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// An address that cannot be listened on. Its text is one line with a way out.
///
/// It has no source: the text of its cause is part of its own and would be printed twice.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", cause.advice(flag))]
pub struct BindError {
    flag: &'static str,
    address: ListenAddress,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Lookup(io::Error),
    Bind(io::Error),
}

impl Cause {
    fn advice(&self, flag: &str) -> String {
        let error = match self {
            Self::Lookup(error) => {
                return format!("host name not found ({error}); choose another with {flag}");
            }
            Self::Bind(error) => error,
        };
        match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "address already in use; stop the other program or choose another address with {flag}"
            ),
            io::ErrorKind::AddrNotAvailable => format!(
                "no network interface of this machine has that address; choose another with {flag}"
            ),
            io::ErrorKind::PermissionDenied => {
                format!("permission denied; choose a port from 1024 on with {flag}")
            }
            _ => format!("{error}; choose another address with {flag}"),
        }
    }
}

/// Listens on `address`, which came from the flag `flag` (such as `--web.listen-address`).
///
/// A name with several addresses is bound to the first that works.
pub async fn bind(flag: &'static str, address: &ListenAddress) -> Result<TcpListener, BindError> {
    let port = address.port;
    let bound = match &address.host {
        Host::All => bind_all(port).await,
        Host::V6(ip) => TcpListener::bind((*ip, port)).await.map_err(Cause::Bind),
        Host::Name(name) => bind_name(name, port).await,
    };
    bound.map_err(|cause| BindError { flag, address: address.clone(), cause })
}

/// As [`bind`], for a listener that another runtime will serve, as
/// [`spawn_admin`](crate::spawn_admin) does. The listener is in non-blocking mode.
pub async fn bind_std(
    flag: &'static str,
    address: &ListenAddress,
) -> Result<std::net::TcpListener, BindError> {
    let listener = bind(flag, address).await?.into_std().map_err(Cause::Bind);
    listener.map_err(|cause| BindError { flag, address: address.clone(), cause })
}

async fn bind_all(port: u16) -> Result<TcpListener, Cause> {
    let dual_stack = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await;
    let bound = match dual_stack {
        Err(error) if without_ipv6(&error) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    };
    bound.map_err(Cause::Bind)
}

/// Whether an IPv4 address may still work. The kinds for a missing address family vary between
/// systems, so this names those that would be the same with IPv4.
fn without_ipv6(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

async fn bind_name(name: &str, port: u16) -> Result<TcpListener, Cause> {
    let addresses = tokio::net::lookup_host((name, port)).await.map_err(Cause::Lookup)?;
    let addresses: Vec<SocketAddr> = addresses.collect();
    TcpListener::bind(addresses.as_slice()).await.map_err(Cause::Bind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expect: Result<&str, &str>) {
        let parsed = input.parse::<ListenAddress>();
        let shown = parsed.map(|address| address.to_string()).map_err(|error| error.to_string());
        assert_eq!(shown, expect.map(str::to_owned).map_err(str::to_owned), "{input}");
    }

    #[test]
    fn addresses_are_shown_as_they_were_written() {
        for text in [":8000", "127.0.0.1:0", "[::1]:9", "localhost:8000", "a_b-c.example:65535"] {
            check(text, Ok(text));
        }
        check("[0:0::1]:09", Ok("[::1]:9"));
    }

    #[test]
    fn mistakes_are_explained() {
        let no_port = "no port; write for example :8000, 127.0.0.1:8000 or [::1]:8000";
        check("", Err(no_port));
        check("8000", Err(no_port));
        for port in ["", "http", "65536", "+80", "-1", " 80"] {
            let expect = format!("`{port}` is not a port; a port is a number from 0 to 65535");
            check(&format!("localhost:{port}"), Err(&expect));
        }
        for host in ["::1", "[::1", "::1]", "[localhost]", "http://a", "a b", "ü", "[::1%eth0]"] {
            let expect = format!(
                "`{host}` is not a host; write a name, an IPv4 address, or an IPv6 address in brackets"
            );
            check(&format!("{host}:80"), Err(&expect));
        }
    }

    #[tokio::test]
    async fn all_interfaces_include_ipv4() {
        let address = ":0".parse().expect("valid");
        let listener = bind("--listen", &address).await.expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let (accepted, connected) =
            tokio::join!(listener.accept(), tokio::net::TcpStream::connect(("127.0.0.1", port)));
        accepted.expect("accepted");
        connected.expect("connected");
    }

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let address = "localhost:0".parse().expect("valid");
        let listener = bind("--listen", &address).await.expect("bound");
        assert!(listener.local_addr().expect("bound").ip().is_loopback());
    }

    #[tokio::test]
    async fn a_taken_port_is_one_line_with_a_way_out() {
        let first = bind_std("--listen", &":0".parse().expect("valid")).await.expect("bound");
        let port = first.local_addr().expect("bound").port();
        let taken = format!(":{port}").parse().expect("valid");
        let error = bind("--web.listen-address", &taken).await.expect_err("taken");
        let expect = format!(
            "cannot listen on :{port}: address already in use; stop the other program or choose \
             another address with --web.listen-address"
        );
        assert_eq!(error.to_string(), expect);
    }

    #[tokio::test]
    async fn a_foreign_address_is_one_line_with_a_way_out() {
        // An address for documentation (RFC 5737), which no interface has.
        let foreign = "192.0.2.1:0".parse().expect("valid");
        let error = bind("--listen", &foreign).await.expect_err("not ours");
        let expect = "cannot listen on 192.0.2.1:0: no network interface of this machine has that \
                      address; choose another with --listen";
        assert_eq!(error.to_string(), expect);
    }
}
