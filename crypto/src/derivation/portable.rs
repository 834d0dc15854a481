//! The iterations of `L` derivations at once in plain words, for the compiler to make vectors of: the same step of every
//! lane beside each other. It does so only while the rounds stand in a row without a loop of their own, and while the
//! sum is taken inside the loop over the lanes.
//! Neighbours: [`super::processor`] has this compiled for each kind of vector; [`super::streams`] needs no vectors.

use super::constants::{PADDING, ROUND};
use super::{Slot, State};
use zeroize::Zeroize as _;

/// The same word of every lane, for each of a state's words.
type Rows<const L: usize> = [[u32; L]; 8];

/// Takes each slot so many iterations further. Costs the same however many they are; those after the first `L` are not
/// looked at.
#[inline(always)]
pub(super) fn iterate<const L: usize>(slots: &mut [Slot], iterations: u32) {
    let (mut inner, mut outer): (Rows<L>, Rows<L>) = ([[0; L]; 8], [[0; L]; 8]);
    let (mut last, mut sum): (Rows<L>, Rows<L>) = ([[0; L]; 8], [[0; L]; 8]);
    for (lane, slot) in slots.iter().take(L).enumerate() {
        for word in 0..8 {
            inner[word][lane] = slot.inner[word];
            outer[word][lane] = slot.outer[word];
            last[word][lane] = slot.last[word];
            sum[word][lane] = slot.sum[word];
        }
    }
    for _ in 0..iterations {
        for lane in 0..L {
            let half = compress(column(&inner, lane), column(&last, lane));
            let whole = compress(column(&outer, lane), half);
            for word in 0..8 {
                last[word][lane] = whole[word];
                sum[word][lane] ^= whole[word];
            }
        }
    }
    for (lane, slot) in slots.iter_mut().take(L).enumerate() {
        slot.last = column(&last, lane);
        slot.sum = column(&sum, lane);
    }
    for rows in [&mut inner, &mut outer, &mut last, &mut sum] {
        rows.zeroize();
    }
}

#[inline(always)]
fn column<const L: usize>(rows: &Rows<L>, lane: usize) -> State {
    std::array::from_fn(|word| rows[word][lane])
}

/// FIPS 180-4 6.2.2, for a block of one digest and its padding.
#[inline(always)]
fn compress(from: State, digest: State) -> State {
    let mut state = from;
    let mut schedule = [0; 16];
    schedule[..8].copy_from_slice(&digest);
    schedule[8..].copy_from_slice(&PADDING);
    macro_rules! rounds {
        ($($i:literal)*) => { $( round(&mut state, &mut schedule, $i); )* };
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    std::array::from_fn(|i| state[i].wrapping_add(from[i]))
}

/// Round `i`. The letters a to h do not move on, their names do.
#[inline(always)]
fn round(state: &mut State, schedule: &mut [u32; 16], i: usize) {
    let at = |letter: usize| (letter + 64 - i) % 8;
    let [a, b, c, e, f, g] =
        [state[at(0)], state[at(1)], state[at(2)], state[at(4)], state[at(5)], state[at(6)]];
    if i >= 16 {
        let (early, late) = (schedule[(i + 1) % 16], schedule[(i + 14) % 16]);
        schedule[i % 16] = schedule[i % 16]
            .wrapping_add(schedule[(i + 9) % 16])
            .wrapping_add(early.rotate_right(7) ^ early.rotate_right(18) ^ (early >> 3))
            .wrapping_add(late.rotate_right(17) ^ late.rotate_right(19) ^ (late >> 10));
    }
    let choice = g ^ (e & (f ^ g));
    let majority = (a & b) | (c & (a | b));
    let sum = state[at(7)]
        .wrapping_add(ROUND[i / 4][i % 4])
        .wrapping_add(schedule[i % 16])
        .wrapping_add(choice)
        .wrapping_add(e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25));
    state[at(3)] = state[at(3)].wrapping_add(sum);
    state[at(7)] =
        sum.wrapping_add(majority).wrapping_add(a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22));
}
