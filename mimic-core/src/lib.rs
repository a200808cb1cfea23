//! Image references, mirror rules and the rewriter.
mod explain;
mod glob;
mod lint;
mod location;
mod outcome;
mod reference;
mod rewriter;
mod rule;
mod selector;
mod table;
mod upstream;

pub use explain::Explanation;
pub use glob::{GlobError, Globs};
pub use location::Location;
pub use outcome::{Outcome, Reason, RuleRef};
pub use reference::{DOCKER_HUB, ImageRef, LIBRARY, ParseError, ParseErrorKind, REPOSITORY_MAX, TAG_MAX};
pub use rewriter::{Context, Rewriter};
pub use rule::{Library, Mirror, MirrorSpec, References, Rule, RuleError, RuleSpec};
pub use selector::{Labels, Operator, PodSelector, Requirement};
pub use upstream::{Pattern, Upstream};
