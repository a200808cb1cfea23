//! What warnings about rules need to know of a location.

use super::{Location, Piece};
use crate::pattern_shape::Contained;

impl Location {
    /// Whether images of different registries get different names.
    pub(crate) fn separates_registries(&self) -> bool {
        self.pieces().iter().any(|piece| matches!(piece, Piece::Registry | Piece::Host | Piece::Group(_)))
    }

    /// The parts of an image's name that the location contains.
    pub(crate) fn contains(&self) -> Contained {
        let mut contained = Contained::default();
        for piece in self.pieces() {
            match piece {
                Piece::Registry | Piece::Host => contained.registry = true,
                Piece::Repository => contained.repository = true,
                Piece::Group(group) => contained.groups.push(*group),
                Piece::Text(_) | Piece::Namespace => {}
            }
        }
        contained
    }
}
