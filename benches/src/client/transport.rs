use clap::ValueEnum;

/// How requests reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// HTTP/1.1 on persistent connections, as the API server calls a Service
    Http1,
    /// HTTP/2 on one shared connection, as the API server calls a URL
    Http2,
    /// HTTP/1.1 with a new connection for every request
    Connect,
    /// HTTP/1.1 with a new connection for every request that resumes the TLS session of an earlier one
    Resume,
}
