//! Where custom resources have images.

use std::collections::HashMap;
use std::str::FromStr;

use mimic_core::Hint;

use crate::built_in;

/// One place with images in the objects of one kind: `Kind.group:/spec/parts/*/image`.
///
/// The path is a JSON Pointer, in which `*` stands for all items of a list or all values of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePath {
    pub(crate) kind: String,
    pub(crate) group: String,
    pub(crate) path: Vec<String>,
}

/// Why a text is not an [`ImagePath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImagePathError {
    /// There is no colon before the path.
    #[error("no colon between kind and path")]
    NoColon,
    /// The kind is missing or is not a name.
    #[error("the kind is not a name such as `Kind.group`")]
    Kind,
    /// The path is not a JSON Pointer to a value in the object.
    #[error("the path is not a JSON Pointer such as `/spec/image`")]
    Path,
}

impl Hint for ImagePathError {
    fn hint(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some("write `Kind.group:/spec/parts/*/image`, without the version".into())
    }
}

impl FromStr for ImagePath {
    type Err = ImagePathError;

    fn from_str(text: &str) -> Result<Self, ImagePathError> {
        let (kind, path) = text.split_once(':').ok_or(ImagePathError::NoColon)?;
        let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
        let is_kind =
            kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_group = group.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        if !is_kind || !is_group {
            return Err(ImagePathError::Kind);
        }
        let parts = path.strip_prefix('/').ok_or(ImagePathError::Path)?;
        let path: Vec<String> = parts.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        if path.iter().any(String::is_empty) {
            return Err(ImagePathError::Path);
        }
        Ok(Self { kind: kind.into(), group: group.into(), path })
    }
}

/// Places of images and of pod templates, by kind.
#[derive(Clone, Debug, Default)]
pub struct ImagePaths {
    images: HashMap<(String, String), Vec<Vec<String>>>,
    templates: HashMap<(String, String), Vec<Vec<String>>>,
}

impl ImagePaths {
    /// The workloads of Kubernetes, and the resources of common operators.
    ///
    /// # Panics
    /// Never: the built-in paths are valid, as a test shows.
    pub fn built_in() -> Self {
        let mut paths = Self::default();
        let parse = |line: &str| line.parse::<ImagePath>().expect("a test parses all lines");
        built_in::TEMPLATES.lines().for_each(|line| add(&mut paths.templates, parse(line)));
        built_in::IMAGES.lines().for_each(|line| add(&mut paths.images, parse(line)));
        paths
    }

    /// Adds a place with images.
    pub fn add(&mut self, path: ImagePath) {
        add(&mut self.images, path);
    }

    /// The paths to images in an object.
    pub(crate) fn images(&self, kind: &str, group: &str) -> &[Vec<String>] {
        of(&self.images, kind, group)
    }

    /// The paths to pods and pod templates in an object: nodes with `metadata` and `spec`.
    pub(crate) fn templates(&self, kind: &str, group: &str) -> &[Vec<String>] {
        of(&self.templates, kind, group)
    }
}

fn add(map: &mut HashMap<(String, String), Vec<Vec<String>>>, path: ImagePath) {
    let paths = map.entry((path.kind, path.group)).or_default();
    if !paths.contains(&path.path) {
        paths.push(path.path);
    }
}

fn of<'m>(map: &'m HashMap<(String, String), Vec<Vec<String>>>, kind: &str, group: &str) -> &'m [Vec<String>] {
    map.get(&(kind.to_owned(), group.to_owned())).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_kind_and_a_pointer() {
        let parse = |text: &str| text.parse::<ImagePath>();
        let path = parse("Part.example.com:/spec/parts/*/a~1b~0/image").unwrap();
        assert_eq!((path.kind.as_str(), path.group.as_str()), ("Part", "example.com"));
        assert_eq!(path.path, ["spec", "parts", "*", "a/b~", "image"]);
        assert_eq!(parse("Pod:/spec").unwrap().group, "");
        assert_eq!(parse("Part.example.com/spec"), Err(ImagePathError::NoColon));
        for text in [":/spec", "part.example.com:/spec", "P art:/spec", "Part.Example.com:/spec", "Part.a/v1:/spec"] {
            assert_eq!(parse(text), Err(ImagePathError::Kind), "{text}");
        }
        for text in ["Part.example.com:", "Part.example.com:/", "Part.example.com:spec", "Part.example.com:/a//b"] {
            assert_eq!(parse(text), Err(ImagePathError::Path), "{text}");
        }
    }

    #[test]
    fn the_built_in_paths_are_valid_and_unique() {
        let lines = || built_in::TEMPLATES.lines().chain(built_in::IMAGES.lines());
        let paths: Vec<ImagePath> = lines().map(|line| line.parse().unwrap()).collect();
        for (n, path) in paths.iter().enumerate() {
            assert!(!paths[..n].contains(path), "{path:?} is listed twice");
        }
        assert!(!ImagePaths::built_in().templates("Deployment", "apps").is_empty());
    }
}
