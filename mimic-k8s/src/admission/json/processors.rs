//! Instruction sets to test.

use fearless_simd::Level;

/// The instruction sets that this processor supports. Code is compiled separately for each, and all must give the same
/// result.
pub(super) fn processors() -> Vec<Level> {
    let best = Level::new();
    let mut kinds = vec![best, Level::baseline()];
    #[cfg(target_arch = "x86_64")]
    {
        kinds.extend(best.as_sse4_2().map(Level::Sse4_2));
        kinds.extend(best.as_avx2().map(Level::Avx2));
    }
    kinds
}
