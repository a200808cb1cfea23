//! Enums whose variants have stable names.

/// Defines an enum with a stable name for each variant: `pub enum Name { Variant = "name", … }`.
///
/// The enum gets `ALL`, the list of its variants, and `as_str`. Both come from the one list of variants, so a new variant
/// cannot be missing from `ALL`.
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

            /// A stable name for logs, metrics and JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    };
}
pub(super) use named_variants;
