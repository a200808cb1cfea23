//! The harness of the end-to-end tests: a real kube-apiserver with etcd on loopback, the real `mimic-server`, and the webhook
//! configuration from `deploy/manifests`.
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! use mimic_e2e::{Cluster, MimicServer, Namespace};
//!
//! let Some(cluster) = Cluster::shared()? else { return Ok(()) };
//! let namespace = Namespace::create(cluster, "shop").await?;
//! let server = MimicServer::start("mirrors:\n  docker.io: harbor.example.com/dockerhub\n").await?;
//! server.register(&namespace, &[]).await?;
//! namespace.kubectl(&["run", "web", "--image=nginx"])?;
//! assert_eq!(mimic_e2e::images(&namespace.pod("web").await?), [("web", "harbor.example.com/dockerhub/library/nginx")]);
//! # Ok(())
//! # }
//! ```
//!
//! To check the content of rewritten references, there are real registries, and `skopeo` to push and pull:
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! use mimic_e2e::{Image, Registry, Skopeo, rewritten};
//!
//! let Some(skopeo) = Skopeo::available()? else { return Ok(()) };
//! let upstream = Registry::start().await?;
//! let mirror = Registry::pulling_through(&upstream).await?;
//! let app = Image::new("some text in a layer")?;
//! skopeo.push(&app, &format!("{}/app:1", upstream.host()))?;
//! let rule = format!("{}={}", upstream.host(), mirror.host());
//! let reference = rewritten(&["-m", &rule], &format!("{}/app:1", upstream.host()))?;
//! assert_eq!(&skopeo.pull(&reference)?, app.content());
//! # Ok(())
//! # }
//! ```
//!
//! Everything that a test starts listens on loopback only and stops with the test. There is one cluster per test binary. Each test
//! has its own namespace, because the cluster has no garbage collector (see `controlplane/README.md`).

mod balancer;
mod bases;
mod binaries;
mod buildah;
mod cert_manager;
mod certificates;
mod checkout;
mod cluster;
mod container;
mod control_plane;
mod crds;
mod go;
mod handshake;
mod helm;
mod http;
mod image;
mod imports;
mod installation;
mod istio;
pub mod load;
mod namespace;
mod node;
mod page;
mod process;
mod prometheus_operator;
mod recorder;
mod registry;
mod replica;
mod rewrite;
mod server;
mod shipped_image;
mod skopeo;
mod tools;
mod volumes;
mod wait;
mod webhook_configuration;

pub use balancer::Balancer;
pub use cert_manager::CertManager;
pub use certificates::TestCa;
pub use checkout::Checkout;
pub use cluster::Cluster;
pub use container::{Container, run_in_container};
pub use crds::definitions;
pub use handshake::{handshake, handshake_at};
pub use helm::{Helm, objects};
pub use image::{Content, Image};
pub use imports::Imports;
pub use installation::Installation;
pub use istio::IstioInjector;
pub use namespace::{Kubectl, Namespace, images};
pub use node::{Node, NodeCluster};
pub use page::{Page, Step};
pub use prometheus_operator::PrometheusOperator;
pub use recorder::Recorder;
pub use registry::Registry;
pub use replica::Replica;
pub use rewrite::{rewritten, run_mimic};
pub use server::MimicServer;
pub use shipped_image::ShippedImage;
pub use skopeo::Skopeo;
pub use wait::{eventually, eventually_some, eventually_within};
pub use webhook_configuration::{WebhookConfiguration, shipped_webhook_configuration};
