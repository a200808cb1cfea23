//! What Mimic asks of a cluster, against an API server that misbehaves on demand.

#[cfg(test)]
mod connection;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod follower;
#[cfg(test)]
mod mirrors;
#[cfg(test)]
mod source;
