//! The iterations of a few derivations at once on the processor's SHA instructions: while one derivation waits for
//! the result of a round, the SHA unit computes a round of another one.
//! Neighbours: [`super::processor`] has seen that the instructions are there; [`super::rounds`] does the same in the
//! lanes of vectors.

use super::constants::ROUND;
use super::constants::State;
use super::slot::Slot;
use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_unpackhi_epi64, _mm_unpacklo_epi64,
    _mm_xor_si128,
};

/// Four words, the first one lowest.
type Words = __m128i;
/// A state as the instructions take it: `ABEF` and `CDGH`, A and C highest.
type Packed = [Words; 2];

/// Advances each slot by this number of iterations.
#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(super) fn iterate<const N: usize>(slots: &mut [Slot; N], iterations: u32) {
    let zero = _mm_set_epi32(0, 0, 0, 0);
    let (mut inner, mut outer) = ([[zero; 2]; N], [[zero; 2]; N]);
    let (mut last, mut sum) = ([[zero; 2]; N], [[zero; 2]; N]);
    for s in 0..N {
        inner[s] = packed(words(&slots[s].inner));
        outer[s] = packed(words(&slots[s].outer));
        last[s] = words(&slots[s].last);
        sum[s] = words(&slots[s].sum);
    }
    for _ in 0..iterations {
        last = compress(&inner, last);
        last = compress(&outer, last);
        for s in 0..N {
            sum[s] = [_mm_xor_si128(sum[s][0], last[s][0]), _mm_xor_si128(sum[s][1], last[s][1])];
        }
    }
    for (s, slot) in slots.iter_mut().enumerate() {
        slot.last = state(last[s]);
        slot.sum = state(sum[s]);
    }
}

/// Compresses one block for each derivation: the digest, and the padding of a message of one pad and one digest.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress<const N: usize>(from: &[Packed; N], digest: [[Words; 2]; N]) -> [[Words; 2]; N] {
    let zero = _mm_set_epi32(0, 0, 0, 0);
    let (mut abef, mut cdgh) = ([zero; N], [zero; N]);
    let mut message = [[zero; 4]; N];
    for s in 0..N {
        [abef[s], cdgh[s]] = from[s];
        let (end, bits) = (_mm_set_epi32(0, 0, 0, i32::MIN), _mm_set_epi32((64 + 32) * 8, 0, 0, 0));
        message[s] = [digest[s][0], digest[s][1], end, bits];
    }
    macro_rules! four_rounds {
        ($($i:literal)*) => { $(
            for s in 0..N {
                let [a, b, c, d] = [$i % 4, ($i + 1) % 4, ($i + 2) % 4, ($i + 3) % 4];
                if $i >= 4 {
                    let m = &mut message[s];
                    let sums = _mm_add_epi32(_mm_sha256msg1_epu32(m[a], m[b]), _mm_alignr_epi8::<4>(m[d], m[c]));
                    m[a] = _mm_sha256msg2_epu32(sums, m[d]);
                }
                let k = &ROUND[$i];
                let k = _mm_set_epi32(k[3].cast_signed(), k[2].cast_signed(), k[1].cast_signed(), k[0].cast_signed());
                let wk = _mm_add_epi32(message[s][a], k);
                cdgh[s] = _mm_sha256rnds2_epu32(cdgh[s], abef[s], wk);
                abef[s] = _mm_sha256rnds2_epu32(abef[s], cdgh[s], _mm_shuffle_epi32::<0b_00_00_11_10>(wk));
            }
        )* };
    }
    four_rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    let mut to = digest;
    for s in 0..N {
        to[s] = unpacked([_mm_add_epi32(abef[s], from[s][0]), _mm_add_epi32(cdgh[s], from[s][1])]);
    }
    to
}

/// `ABCD` and `EFGH`, the first letter lowest.
#[inline]
#[target_feature(enable = "sse2")]
fn words(of: &State) -> [Words; 2] {
    let [a, b, c, d, e, f, g, h] = of.map(u32::cast_signed);
    [_mm_set_epi32(d, c, b, a), _mm_set_epi32(h, g, f, e)]
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn state([abcd, efgh]: [Words; 2]) -> State {
    let words = [
        _mm_extract_epi32::<0>(abcd),
        _mm_extract_epi32::<1>(abcd),
        _mm_extract_epi32::<2>(abcd),
        _mm_extract_epi32::<3>(abcd),
        _mm_extract_epi32::<0>(efgh),
        _mm_extract_epi32::<1>(efgh),
        _mm_extract_epi32::<2>(efgh),
        _mm_extract_epi32::<3>(efgh),
    ];
    words.map(i32::cast_unsigned)
}

/// Exchanges the two words within each half.
const SWAP: i32 = 0b_10_11_00_01;

#[inline]
#[target_feature(enable = "sse2")]
fn packed([abcd, efgh]: [Words; 2]) -> Packed {
    let (badc, fehg) = (_mm_shuffle_epi32::<SWAP>(abcd), _mm_shuffle_epi32::<SWAP>(efgh));
    [_mm_unpacklo_epi64(fehg, badc), _mm_unpackhi_epi64(fehg, badc)]
}

#[inline]
#[target_feature(enable = "sse2")]
fn unpacked([abef, cdgh]: Packed) -> [Words; 2] {
    let (badc, fehg) = (_mm_unpackhi_epi64(abef, cdgh), _mm_unpacklo_epi64(abef, cdgh));
    [_mm_shuffle_epi32::<SWAP>(badc), _mm_shuffle_epi32::<SWAP>(fehg)]
}
