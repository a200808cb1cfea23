//! The server from outside: through its configuration, its ports, its files and its signals.

#[cfg(test)]
mod certificates;
#[cfg(test)]
mod client_ca;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod common;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod early;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod hanging_disk;
#[cfg(test)]
mod harbor;
#[cfg(test)]
mod http;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod pods;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod sources;
