//! Borrowed views of JSON objects. Only the named members are kept; the others are skipped while scanning.
//!
//! The views do not use `serde`'s derive because it differs from Kubernetes' decoder. It accepts an array in place of an
//! object, rejects a member that occurs twice (Go keeps the last one), and rejects `null` for members with a default.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A list or map with more entries than this makes the review invalid. The API server cannot store an object with so many.
/// The limit bounds the memory that a small body can take.
pub(crate) const MAX_ENTRIES: usize = 65_536;

/// A JSON object that is read member by member.
pub(crate) trait View<'de>: Default {
    /// Reads or skips the value of `key`.
    fn member<M: MapAccess<'de>>(&mut self, key: Text<'de>, map: &mut M) -> Result<(), M::Error>;
}

/// Skips the value of a member.
pub(crate) fn skip<'de, M: MapAccess<'de>>(map: &mut M) -> Result<(), M::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Reads an object. `null` is read as the default.
pub(crate) fn object<'de, V: View<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<V, D::Error> {
    deserializer.deserialize_option(ObjectVisitor(PhantomData))
}

/// Defines a [`View`]: `Name { field: Type = "member", … }`. An absent member has the field type's default.
macro_rules! view {
    ($(#[$about:meta])* $name:ident { $($field:ident: $type:ty = $member:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        pub(crate) struct $name<'a> {
            $(pub(crate) $field: $type),+
        }

        impl<'a> $crate::admission::json::views::View<'a> for $name<'a> {
            fn member<M: serde::de::MapAccess<'a>>(
                &mut self,
                key: $crate::admission::json::views::Text<'a>,
                map: &mut M,
            ) -> Result<(), M::Error> {
                match &*key {
                    $($member => self.$field = map.next_value()?,)+
                    _ => $crate::admission::json::views::skip(map)?,
                }
                Ok(())
            }
        }

        impl<'a> serde::Deserialize<'a> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::admission::json::views::object(deserializer)
            }
        }
    };
}
pub(crate) use view;

struct ObjectVisitor<V>(PhantomData<V>);

impl<'de, V: View<'de>> Visitor<'de> for ObjectVisitor<V> {
    type Value = V;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<V, E> {
        Ok(V::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<V, M::Error> {
        let mut view = V::default();
        while let Some(key) = map.next_key()? {
            view.member(key, &mut map)?;
        }
        Ok(view)
    }
}

/// A string, borrowed from the body unless it contains escapes. `null` is the empty string, as in Go.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Text<'_> {
    /// The string, or `None` if it is empty or absent, which Kubernetes does not distinguish.
    pub(crate) fn given(&self) -> Option<&str> {
        (!self.is_empty()).then_some(self)
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<E: Error>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text)))
    }
}

/// The length of a string in bytes. The string is not kept. `null` has length 0.
#[derive(Debug, Default)]
pub(crate) struct Length(pub(crate) usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(LengthVisitor)
    }
}

struct LengthVisitor;

impl<'de> Visitor<'de> for LengthVisitor {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<E: Error>(self) -> Result<Length, E> {
        Ok(Length(0))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Length, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Length, E> {
        Ok(Length(text.len()))
    }
}

/// A list. `null` in place of it is an empty list, and `null` inside it is an entry with defaults.
#[derive(Debug)]
pub(crate) struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_none<E: Error>(self) -> Result<List<T>, E> {
        Ok(List::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<List<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<List<T>, S::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            check_room(list.len())?;
            list.push(item);
        }
        Ok(List(list))
    }
}

/// Returns an error if a list or map already has the maximum number of entries.
pub(crate) fn check_room<E: Error>(entries: usize) -> Result<(), E> {
    if entries < MAX_ENTRIES { Ok(()) } else { Err(E::custom(format_args!("more than {MAX_ENTRIES} entries"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    view! {
        /// A view for the tests.
        Thing { name: Text<'a> = "name", parts: List<Thing<'a>> = "parts", size: Length = "size" }
    }

    fn read(json: &str) -> Result<Thing<'_>, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_string_without_escapes_is_borrowed_and_one_with_escapes_is_not() {
        assert!(matches!(read(r#"{"name":"a/b"}"#).unwrap().name.0, Cow::Borrowed("a/b")));
        assert!(matches!(read(r#"{"name":"a\/b"}"#).unwrap().name.0, Cow::Owned(text) if text == "a/b"));
        assert_eq!(&*read(r#"{"n\u0061me":"a"}"#).unwrap().name, "a");
    }

    #[test]
    fn null_is_absent_everywhere() {
        for json in ["null", "{}", r#"{"name":null,"parts":null,"size":null}"#] {
            let thing = read(json).unwrap();
            assert_eq!((thing.name.given(), thing.parts.len(), thing.size.0), (None, 0, 0), "{json}");
        }
        let parts = read(r#"{"parts":[null,{"name":"b"}]}"#).unwrap().parts;
        assert_eq!(parts.iter().map(|part| &*part.name).collect::<Vec<_>>(), ["", "b"]);
    }

    #[test]
    fn the_last_of_two_equal_members_counts() {
        assert_eq!(&*read(r#"{"name":"a","name":"b"}"#).unwrap().name, "b");
    }

    #[test]
    fn a_length_counts_bytes_after_unescaping() {
        assert_eq!(read(r#"{"size":"aü\n\u2603"}"#).unwrap().size.0, 7);
    }

    #[test]
    fn a_value_of_another_type_is_an_error() {
        for json in
            ["[]", r#"["a"]"#, r#""a""#, "1", r#"{"name":1}"#, r#"{"parts":{}}"#, r#"{"parts":[[]]}"#, r#"{"size":[]}"#]
        {
            assert!(read(json).unwrap_err().is_data(), "{json}");
        }
    }

    #[test]
    fn a_list_has_a_limit() {
        let list = |n: usize| format!(r#"{{"parts":[{}null]}}"#, "null,".repeat(n - 1));
        assert_eq!(read(&list(MAX_ENTRIES)).unwrap().parts.len(), MAX_ENTRIES);
        let error = read(&list(MAX_ENTRIES + 1)).unwrap_err();
        assert!(error.to_string().starts_with("more than 65536 entries"), "{error}");
    }
}
