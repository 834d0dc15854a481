//! Vectors of sixteen words, as AVX-512F has them: it rotates in one instruction, and computes any function of three
//! bits in one.
//! Neighbours: [`super::rounds`] has what is computed with them; [`super::processor`] has seen that the instructions
//! are there.

use super::Slot;
use super::constants::{PADDING, ROUND_AND_PADDING};
use super::rounds::{lanes, round, rounds};
use core::arch::x86_64::{
    __m512i, _mm_extract_epi32, _mm512_add_epi32, _mm512_extracti32x4_epi32, _mm512_ror_epi32,
    _mm512_set_epi32, _mm512_set1_epi32, _mm512_srli_epi32, _mm512_ternarylogic_epi32, _mm512_xor_si512,
};
use core::hint::black_box;
use zeroize::Zeroize as _;

/// One word of each lane.
type Vector = __m512i;

const WIDTH: usize = 16;

lanes!(#[target_feature(enable = "avx512f")]);

// The functions of three bits, as the instruction takes them: bit n of the number is the result for the inputs whose
// bits, the first one highest, are the digits of n.
const XOR: i32 = 0b_1001_0110;
/// The second where the first is set, and the third elsewhere.
const CHOOSE: i32 = 0b_1100_1010;
/// What two of them have.
const MAJORITY: i32 = 0b_1110_1000;

#[target_feature(enable = "avx512f")]
fn vector(words: [u32; WIDTH]) -> Vector {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = words.map(u32::cast_signed);
    _mm512_set_epi32(p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a)
}

#[target_feature(enable = "avx512f")]
fn words(vector: Vector) -> [u32; WIDTH] {
    let quarters = [
        _mm512_extracti32x4_epi32::<0>(vector),
        _mm512_extracti32x4_epi32::<1>(vector),
        _mm512_extracti32x4_epi32::<2>(vector),
        _mm512_extracti32x4_epi32::<3>(vector),
    ];
    let mut words = [0; WIDTH];
    for (to, quarter) in words.as_chunks_mut::<4>().0.iter_mut().zip(quarters) {
        to[0] = _mm_extract_epi32::<0>(quarter).cast_unsigned();
        to[1] = _mm_extract_epi32::<1>(quarter).cast_unsigned();
        to[2] = _mm_extract_epi32::<2>(quarter).cast_unsigned();
        to[3] = _mm_extract_epi32::<3>(quarter).cast_unsigned();
    }
    words
}

#[inline]
#[target_feature(enable = "avx512f")]
fn constant(word: u32) -> Vector {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn choose(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<CHOOSE>(e, f, g)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma_0(a: Vector) -> Vector {
    rotations(_mm512_ror_epi32::<2>(a), _mm512_ror_epi32::<13>(a), _mm512_ror_epi32::<22>(a))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma_1(e: Vector) -> Vector {
    rotations(_mm512_ror_epi32::<6>(e), _mm512_ror_epi32::<11>(e), _mm512_ror_epi32::<25>(e))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma_0(word: Vector) -> Vector {
    rotations(_mm512_ror_epi32::<7>(word), _mm512_ror_epi32::<18>(word), _mm512_srli_epi32::<3>(word))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma_1(word: Vector) -> Vector {
    rotations(_mm512_ror_epi32::<17>(word), _mm512_ror_epi32::<19>(word), _mm512_srli_epi32::<10>(word))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotations(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<XOR>(a, b, c)
}
