//! Mimic's access to a cluster, with a fake API server that fails on demand.

#[cfg(test)]
mod configmap_data;
#[cfg(test)]
mod configmap_source;
#[cfg(test)]
mod connection;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod watch;
