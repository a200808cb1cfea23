//! What is known of a watched object.

/// What is known of a watched object at the moment.
#[derive(Clone)]
pub(crate) enum Known<K> {
    /// Nothing: it has not been read yet, cannot be read, or was changed since.
    Unknown,
    Absent,
    Present(K),
}

impl<K> From<Option<K>> for Known<K> {
    fn from(object: Option<K>) -> Self {
        object.map_or(Self::Absent, Self::Present)
    }
}
