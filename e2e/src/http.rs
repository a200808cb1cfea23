//! Plain HTTP on loopback, as the kubelet queries the admin port.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// Read timeout.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The response to `GET path`: status line and headers, an empty line, the body.
///
/// # Errors
/// If there is no response.
pub(crate) fn get(port: u16, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // In one write: `write!` would send a packet for each part.
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether the status is 200.
pub(crate) fn get_succeeds(port: u16, path: &str) -> bool {
    get(port, path).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}
