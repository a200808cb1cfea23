use clap::ValueEnum;

/// How requests reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// persistent connections, as those of the API server
    Http1,
    /// a new connection for every request
    Connect,
    /// a new connection for every request that resumes the TLS session of an earlier one
    Resume,
}
