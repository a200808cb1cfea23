//! Image references, mirror rules and the rewriter of Mimic, to embed anywhere.
//!
//! ```
//! use mimic_core::{Context, Rewriter, parse_rules_file};
//!
//! let list = parse_rules_file("mirrors.yaml", "mirrors: {docker.io: harbor.example.com/dockerhub}")?;
//! let rewriter = Rewriter::new([("mirrors.yaml", list.rules.into())]);
//!
//! let outcome = rewriter.rewrite("nginx:1.27", &Context::default());
//! assert_eq!(outcome.rewritten(), Some("harbor.example.com/dockerhub/library/nginx:1.27"));
//!
//! let outcome = rewriter.rewrite("ghcr.io/acme/app", &Context::default());
//! assert_eq!(outcome.to_string(), "unchanged: no rule speaks of it");
//! # Ok::<(), mimic_core::Problem>(())
//! ```
//!
//! * [`ImageRef`] is a reference as the kubelet understands it, borrowed from the string it was parsed from.
//! * [`Rule`] says where copies of an upstream are; [`parse_rules_file`] reads many from `mirrors.yaml`.
//! * [`Rewriter`] is a compiled table of rules; its [`Outcome`] says what became of an image *and why*.
//! * [`MirrorSource`] is what learns rules from somewhere; [`Catalog`] merges sources and swaps tables under readers.
//!
//! # What this crate does not do
//!
//! It opens no file or socket, reads no clock, starts no thread and needs no async runtime; it knows nothing of
//! Kubernetes, pulls nothing, and does not ask a mirror whether it has an image. Whoever embeds it decides when to load a
//! source again.

mod catalog;
mod explain;
mod glob;
mod hint;
mod lint;
mod location;
mod outcome;
mod problem;
mod reference;
mod rewriter;
mod rule;
mod rules_file;
mod selector;
mod source;
mod table;
mod upstream;
mod uses;
mod yaml;

pub use async_trait::async_trait;
pub use catalog::{Catalog, Snapshot, SourceStatus};
pub use explain::Explanation;
pub use glob::{GlobError, Globs};
pub use hint::{FullMessage, Hint};
pub use location::Location;
pub use outcome::{Outcome, Reason, RuleRef};
pub use problem::{Problem, nearest};
pub use reference::{DOCKER_HUB, ImageRef, LIBRARY, ParseError, ParseErrorKind, REPOSITORY_MAX, TAG_MAX};
pub use rewriter::{Context, Rewriter};
pub use rule::{Library, Mirror, MirrorSpec, References, Rule, RuleError, RuleSpec};
pub use rules_file::{RuleList, parse_rules_file, parse_short_form};
pub use selector::{Labels, Operator, PodSelector, Requirement};
pub use source::{MirrorSource, SourceError, SourceErrorKind};
pub use upstream::{Pattern, Upstream};
