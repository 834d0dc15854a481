//! Which instructions this processor has, and the calls of what is compiled for them. The one file of the workspace with
//! `unsafe` in it: a call of a function that uses instructions which a processor may lack.
//! Neighbours: [`super::lanes`] asks; [`super::portable`] and [`super::streams`] are called.

#![allow(unsafe_code)]

use super::Slot;
#[cfg(target_arch = "x86_64")]
use super::{portable, streams};

/// What derivations run on here, best first. Made by [`Kernel::of_this_processor`] and [`Kernel::all`] alone, so that
/// whoever holds one has a processor for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kernel(Instructions);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
enum Instructions {
    /// Sixteen lanes of AVX-512F.
    Avx512,
    /// Two streams of the SHA extensions: a round waits four cycles for the one before and keeps its unit busy for two.
    Sha,
    /// Eight lanes of AVX2.
    Avx2,
    /// What `sha2` finds, one after the other.
    Any,
}

/// The most derivations that any kernel takes at once.
pub(super) const MOST: usize = 16;

impl Kernel {
    /// The fastest one.
    pub(crate) fn of_this_processor() -> Self {
        Self::all().next().unwrap_or(Self(Instructions::Any))
    }

    /// Whichever this processor can run, the fastest first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let all = [Instructions::Avx512, Instructions::Sha, Instructions::Avx2, Instructions::Any];
        all.into_iter().filter(|one| is_there(*one)).map(Self)
    }

    /// How many derivations it takes at once.
    pub(crate) fn width(self) -> usize {
        match self.0 {
            Instructions::Avx512 => 16,
            Instructions::Avx2 => 8,
            Instructions::Sha => 2,
            Instructions::Any => 1,
        }
    }

    /// Its name, for reports.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Instructions::Avx512 => "avx512f, 16 lanes",
            Instructions::Avx2 => "avx2, 8 lanes",
            Instructions::Sha => "sha, 2 streams",
            Instructions::Any => "one at a time",
        }
    }

    /// Takes each slot so many iterations further.
    pub(super) fn iterate(self, slots: &mut [Slot], iterations: u32) {
        #[cfg(target_arch = "x86_64")]
        match self.0 {
            // A group costs the same however full it is; with few in it others are faster.
            Instructions::Avx512 => {
                let (groups, rest) = groups(slots, 16, 6);
                for group in groups {
                    // SAFETY: a kernel is only made for a processor that was seen to have its instructions.
                    unsafe { lanes_of_avx512(group, iterations) };
                }
                if is_there(Instructions::Sha) {
                    Self(Instructions::Sha).iterate(rest, iterations);
                } else {
                    one_by_one(rest, iterations);
                }
            }
            Instructions::Avx2 => {
                let (groups, rest) = groups(slots, 8, 3);
                for group in groups {
                    // SAFETY: as above.
                    unsafe { lanes_of_avx2(group, iterations) };
                }
                one_by_one(rest, iterations);
            }
            Instructions::Sha => {
                for group in slots.chunks_mut(2) {
                    // SAFETY: as above.
                    unsafe { streams_of_sha(group, iterations) };
                }
            }
            Instructions::Any => one_by_one(slots, iterations),
        }
        #[cfg(not(target_arch = "x86_64"))]
        one_by_one(slots, iterations);
    }
}

fn one_by_one(slots: &mut [Slot], iterations: u32) {
    for slot in slots {
        slot.iterate(iterations);
    }
}

/// Groups of so many; the last one only if there are enough for it.
#[cfg(target_arch = "x86_64")]
fn groups(slots: &mut [Slot], width: usize, enough: usize) -> (std::slice::ChunksMut<'_, Slot>, &mut [Slot]) {
    let left = slots.len() % width;
    let grouped = if left < enough { slots.len() - left } else { slots.len() };
    let (grouped, rest) = slots.split_at_mut(grouped);
    (grouped.chunks_mut(width), rest)
}

#[cfg(target_arch = "x86_64")]
fn is_there(instructions: Instructions) -> bool {
    match instructions {
        Instructions::Avx512 => is_x86_feature_detected!("avx512f"),
        Instructions::Avx2 => is_x86_feature_detected!("avx2"),
        Instructions::Sha => {
            is_x86_feature_detected!("sha")
                && is_x86_feature_detected!("ssse3")
                && is_x86_feature_detected!("sse4.1")
        }
        Instructions::Any => true,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn is_there(instructions: Instructions) -> bool {
    instructions == Instructions::Any
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn lanes_of_avx512(slots: &mut [Slot], iterations: u32) {
    portable::iterate::<16>(slots, iterations);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn lanes_of_avx2(slots: &mut [Slot], iterations: u32) {
    portable::iterate::<8>(slots, iterations);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn streams_of_sha(slots: &mut [Slot], iterations: u32) {
    if let Some(two) = slots.as_mut_array::<2>() {
        streams::iterate(two, iterations);
    } else if let Some(one) = slots.as_mut_array::<1>() {
        streams::iterate(one, iterations);
    }
}
