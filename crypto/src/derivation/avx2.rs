//! Vectors of eight words, as AVX2 has them: a rotation takes two shifts.
//! Neighbours: [`super::rounds`] has what is computed with them; [`super::processor`] has seen that the instructions
//! are there.

use super::Slot;
use super::constants::{PADDING, ROUND_AND_PADDING};
use super::rounds::{lanes, round, rounds};
use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_extract_epi32, _mm256_set_epi32, _mm256_set1_epi32,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_xor_si256,
};
use core::hint::black_box;
use zeroize::Zeroize as _;

/// One word of each lane.
type Vector = __m256i;

const WIDTH: usize = 8;

lanes!(#[target_feature(enable = "avx2")]);

#[target_feature(enable = "avx2")]
fn vector(words: [u32; WIDTH]) -> Vector {
    let [a, b, c, d, e, f, g, h] = words.map(u32::cast_signed);
    _mm256_set_epi32(h, g, f, e, d, c, b, a)
}

#[target_feature(enable = "avx2")]
fn words(vector: Vector) -> [u32; WIDTH] {
    let words = [
        _mm256_extract_epi32::<0>(vector),
        _mm256_extract_epi32::<1>(vector),
        _mm256_extract_epi32::<2>(vector),
        _mm256_extract_epi32::<3>(vector),
        _mm256_extract_epi32::<4>(vector),
        _mm256_extract_epi32::<5>(vector),
        _mm256_extract_epi32::<6>(vector),
        _mm256_extract_epi32::<7>(vector),
    ];
    words.map(i32::cast_unsigned)
}

#[inline]
#[target_feature(enable = "avx2")]
fn constant(word: u32) -> Vector {
    _mm256_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn choose(e: Vector, f: Vector, g: Vector) -> Vector {
    xor(g, _mm256_and_si256(e, xor(f, g)))
}

/// The next round needs `xor(a, b)` again, as its `xor(b, c)`.
#[inline]
#[target_feature(enable = "avx2")]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    xor(b, _mm256_and_si256(xor(a, b), xor(b, c)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma_0(a: Vector) -> Vector {
    xor(rotation::<2, 30>(a), xor(rotation::<13, 19>(a), rotation::<22, 10>(a)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma_1(e: Vector) -> Vector {
    xor(rotation::<6, 26>(e), xor(rotation::<11, 21>(e), rotation::<25, 7>(e)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma_0(word: Vector) -> Vector {
    xor(rotation::<7, 25>(word), xor(rotation::<18, 14>(word), _mm256_srli_epi32::<3>(word)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma_1(word: Vector) -> Vector {
    xor(rotation::<17, 15>(word), xor(rotation::<19, 13>(word), _mm256_srli_epi32::<10>(word)))
}

/// A rotation to the right. `LEFT` is 32 less `RIGHT`: the intrinsics take no sum of parameters.
#[inline]
#[target_feature(enable = "avx2")]
fn rotation<const RIGHT: i32, const LEFT: i32>(word: Vector) -> Vector {
    xor(_mm256_srli_epi32::<RIGHT>(word), _mm256_slli_epi32::<LEFT>(word))
}
