//! Plain HTTP on loopback: what a kubelet asks of a server's second port.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// An answer that came is an answer, whatever its status says.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What `GET path` is answered with: the status line and headers, an empty line, the body.
///
/// # Errors
/// When there is no answer.
pub(crate) fn get(port: u16, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // At one stroke: `write!` sends a packet for each of its parts.
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether it is answered with 200.
pub(crate) fn get_succeeds(port: u16, path: &str) -> bool {
    get(port, path).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}
