//! Mimic's webhook server: configuration, TLS, HTTP, logging, health and shutdown around the rewriting of
//! [`mimic_core`] and [`mimic_k8s`]. It takes no decision about images itself.

pub mod config;
pub mod logging;
