//! Helpers that Mimic's own crates share. **Not part of the public API**: they may change in any release.

pub use crate::glob::{GlobError, Globs};
/// Lists of bounded size.
#[cfg(feature = "file")]
pub use crate::list_builder::ListBuilder;
#[cfg(feature = "file")]
pub use crate::nearest::nearest;
pub use crate::printable::{Printable, is_hidden, write_printable};
/// Reading `mirrors.yaml` in two steps, for documents that contain one.
#[cfg(feature = "file")]
pub use crate::rules_file::{other_tool, parse_rules_part, rules_document, rules_of};
/// The text of files and lists.
#[cfg(feature = "file")]
pub mod text {
    pub use crate::text::{TextError, decode, is_utf16, without_mark};
}
/// The YAML reader of `mirrors.yaml`, for Mimic's configuration file.
#[cfg(feature = "file")]
pub mod yaml {
    pub use crate::yaml::{Node, Value, YamlError, parse};
}

/// Defines an enum with a stable name for each variant: `pub enum Name { Variant = "name", … }`.
///
/// The enum gets `ALL`, the list of its variants, and `as_str`. Both come from the one list of variants, so a new variant
/// cannot be missing from `ALL`.
#[doc(hidden)]
#[macro_export]
macro_rules! named_variants {
    (
        $(#[$about:meta])*
        pub enum $enum:ident { $($(#[$variant_about:meta])* $variant:ident = $name:literal),+ $(,)? }
    ) => {
        $(#[$about])*
        pub enum $enum {
            $($(#[$variant_about])* $variant),+
        }

        impl $enum {
            /// All variants, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name in logs, metrics and JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    };
}
pub use crate::named_variants;
