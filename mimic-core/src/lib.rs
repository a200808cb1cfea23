//! Parses container image references and rewrites them to mirrors.
//!
//! ```
//! use mimic_core::{Context, Rewriter, Rule};
//!
//! let rules = vec![Rule::mirror("docker.io", "harbor.example.com/dockerhub")?];
//! let rewriter = Rewriter::new([("my rules", rules.into())]);
//!
//! let outcome = rewriter.rewrite("nginx:1.27", &Context::default());
//! assert_eq!(outcome.rewritten(), Some("harbor.example.com/dockerhub/library/nginx:1.27"));
//!
//! let outcome = rewriter.rewrite("ghcr.io/acme/app", &Context::default());
//! assert_eq!(outcome.to_string(), "unchanged: no rule matches it");
//! # Ok::<(), mimic_core::RuleError>(())
//! ```
//!
//! # Embed it
//!
//! 1. Build rules: [`Rule::mirror`] for an upstream and its mirror, [`RuleSpec`] for everything that a rule can have,
//!    `parse_short_form` for a list on one line, or `parse_rules_file` for the content of `mirrors.yaml`.
//! 2. Compile them once with [`Rewriter::new`], outside of the request path, and log its `warnings`.
//! 3. Call [`Rewriter::rewrite`] for each image, from any thread. It takes no lock, and its time depends on the image,
//!    not on the number of rules. The [`Outcome`] says what happened *and why*; [`Rewriter::explain`] lists every step.
//!    For images that are not trusted, a [`Batch`] limits the work.
//! 4. If the rules change at run time, keep them in a `Catalog`: it holds a list for each `MirrorSource`, compiles them
//!    and swaps the rewriter while others read it.
//!
//! Errors implement [`Hint`]: advice for the user, apart from the message.
//!
//! # Features
//!
//! All but `table` are on by default. Without them the crate needs only `regex`, `globset`, `foldhash` and `thiserror`.
//!
//! | feature | adds |
//! |---|---|
//! | `explain` | `Rewriter::explain`: every step that led to an outcome |
//! | `file` | `parse_rules_file` for `mirrors.yaml`, `parse_short_form` for a list on one line; includes `lint` |
//! | `lint` | `Rewriter::warnings`: rules that never apply, or that give different images the same name; errors for globs and patterns that can never match, and in all errors what is wrong and how to write it |
//! | `sources` | `MirrorSource`, `Catalog`, and counters of how often each rule is used; includes `lint` |
//! | `oci` | conversions from and to the references of the crate `oci-spec` |
//! | `table` | `Rewriter::table`: the compiled rules as data, for a translation into another language |
//!
//! # What this crate does not do
//!
//! * It does not open files or sockets, read the clock, start threads or need an async runtime. It runs on wasm32.
//! * It does not pull images, and does not check whether a mirror has an image.
//! * It does not decide when to load a source again: the caller does.
//! * It knows nothing about Kubernetes, except for its label selectors.

#[cfg_attr(not(feature = "lint"), path = "no_advice.rs")]
mod advice;
mod batch;
#[cfg(feature = "sources")]
mod catalog;
mod context;
#[cfg(feature = "explain")]
mod explain;
mod glob;
#[cfg(feature = "lint")]
mod glob_check;
mod grammar;
mod hint;
mod host;
mod image_globs;
#[doc(hidden)]
pub mod internal;
#[cfg(feature = "lint")]
mod lint;
#[cfg(feature = "file")]
mod list_builder;
mod location;
#[cfg(feature = "file")]
mod nearest;
#[cfg(feature = "oci")]
mod oci;
#[cfg(feature = "file")]
mod other_tools;
mod outcome;
mod parse_error;
#[cfg(feature = "lint")]
mod pattern_shape;
mod prefix_index;
mod printable;
#[cfg(any(feature = "file", feature = "sources"))]
mod problem;
mod reference;
mod rewriter;
mod rule;
mod rule_error;
mod rule_index;
#[cfg(any(feature = "file", feature = "sources"))]
mod rule_list;
mod rule_memory;
mod rule_spec;
#[cfg(feature = "file")]
mod rules_file;
mod selector;
#[cfg(feature = "file")]
mod short_form;
#[cfg(feature = "sources")]
mod source;
mod subject;
#[cfg(feature = "table")]
mod table;
#[cfg(feature = "file")]
mod text;
mod unmet;
mod upstream;
#[cfg(feature = "sources")]
mod uses;
#[cfg(feature = "lint")]
mod warning;
mod work;
#[cfg(feature = "file")]
mod yaml;
#[cfg(feature = "file")]
mod yaml_input;

#[cfg(feature = "sources")]
pub use async_trait::async_trait;
pub use batch::{Batch, TooCostly};
#[cfg(feature = "sources")]
pub use catalog::{Catalog, Snapshot, SourceStatus};
pub use context::Context;
#[cfg(feature = "explain")]
pub use explain::{Explanation, Step};
pub use grammar::{REPOSITORY_MAX, TAG_MAX};
pub use hint::{FullMessage, Hint};
pub use location::Location;
pub use outcome::{Outcome, Reason, ReasonCode, RuleRef};
pub use parse_error::{ParseError, ParseErrorKind};
#[cfg(any(feature = "file", feature = "sources"))]
pub use problem::Problem;
pub use reference::{DOCKER_HUB, ImageRef};
pub use rewriter::Rewriter;
pub use rule::{Mirror, Rule};
pub use rule_error::RuleError;
#[cfg(any(feature = "file", feature = "sources"))]
pub use rule_list::RuleList;
pub use rule_spec::{Library, MirrorSpec, References, RuleSpec};
#[cfg(feature = "file")]
pub use rules_file::parse_rules_file;
pub use selector::{Labels, Operator, PodSelector, Requirement};
#[cfg(feature = "file")]
pub use short_form::parse_short_form;
#[cfg(feature = "sources")]
pub use source::{MirrorSource, SourceError, SourceErrorKind};
#[cfg(feature = "table")]
pub use table::{Entry, EntryKey, Fixed, ImageExpression, Table};
pub use unmet::Unmet;
pub use upstream::{Pattern, Upstream};
#[cfg(feature = "lint")]
pub use warning::{RuleName, Warning};

#[cfg(all(doctest, feature = "file"))]
#[doc = include_str!("../README.md")]
struct Readme;
