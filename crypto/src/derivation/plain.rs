//! Vectors of one word, which every processor has: the text of the lanes is tested everywhere, and what one derivation
//! costs without SHA instructions is measured where they are there.
//! Neighbours: [`super::rounds`] has what is computed with them; the tests of [`super::batch`] call it.

use super::Slot;
use super::constants::{PADDING, ROUND_AND_PADDING};
use super::rounds::{lanes, round, rounds};
use core::hint::black_box;
use zeroize::Zeroize as _;

type Vector = u32;

const WIDTH: usize = 1;

lanes!();

fn vector([word]: [u32; WIDTH]) -> Vector {
    word
}

fn words(vector: Vector) -> [u32; WIDTH] {
    [vector]
}

fn constant(word: u32) -> Vector {
    word
}

fn add(a: Vector, b: Vector) -> Vector {
    a.wrapping_add(b)
}

fn xor(a: Vector, b: Vector) -> Vector {
    a ^ b
}

fn choose(e: Vector, f: Vector, g: Vector) -> Vector {
    g ^ (e & (f ^ g))
}

fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    (a & b) | (c & (a | b))
}

fn big_sigma_0(a: Vector) -> Vector {
    a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22)
}

fn big_sigma_1(e: Vector) -> Vector {
    e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25)
}

fn small_sigma_0(word: Vector) -> Vector {
    word.rotate_right(7) ^ word.rotate_right(18) ^ (word >> 3)
}

fn small_sigma_1(word: Vector) -> Vector {
    word.rotate_right(17) ^ word.rotate_right(19) ^ (word >> 10)
}
