//! Which instructions this processor has, and the calls of what is compiled for them. The one file of the workspace with
//! `unsafe` in it: calls of functions that use instructions which a processor may lack.
//! Neighbours: [`super::under_way`] and the derivation alone call it; it calls [`super::avx512`], [`super::avx2`] and
//! [`super::streams`].

#![allow(unsafe_code)]

use super::Slot;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512, streams};

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
    /// Eight lanes of AVX2. With SHA extensions even one derivation at a time can be faster (an AMD EPYC without AVX-512: by
    /// 1.4), so they come before.
    Avx2,
    /// What `sha2` finds, one after the other.
    Any,
}

impl Instructions {
    /// The fastest first.
    const ALL: [Self; 4] = [Self::Avx512, Self::Sha, Self::Avx2, Self::Any];

    fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512f, 16 lanes",
            Self::Avx2 => "avx2, 8 lanes",
            Self::Sha => "sha, 2 streams",
            Self::Any => "one at a time",
        }
    }
}

/// The most derivations that any kernel takes at once.
pub(super) const MOST: usize = 16;

/// The least number of derivations in a group of sixteen lanes, which takes as long however full it is: with fewer, pairs on
/// the SHA extensions are faster. On a Zen 4 1,000 iterations of a group take 467 µs, those of a pair 102.
const LEAST_OF_AVX512_BESIDE_SHA: usize = 10;
/// The same without SHA extensions: there one derivation alone takes 348 µs.
const LEAST_OF_AVX512: usize = 2;
/// The same for eight lanes of AVX2, of which a group takes 510 µs there. Two would do; three leave room for processors with
/// fewer vector units than that one.
const LEAST_OF_AVX2: usize = 3;

impl Kernel {
    /// The fastest one.
    pub(crate) fn of_this_processor() -> Self {
        Self::all().next().unwrap_or(Self(Instructions::Any))
    }

    /// Whichever this processor can run, the fastest first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Instructions::ALL.into_iter().filter(|one| is_there(*one)).map(Self)
    }

    /// The names of the kernels that this processor cannot run.
    #[cfg(test)]
    pub(super) fn missing() -> impl Iterator<Item = &'static str> {
        Instructions::ALL.into_iter().filter(|one| !is_there(*one)).map(Instructions::name)
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
        self.0.name()
    }

    /// Takes each slot so many iterations further.
    pub(super) fn iterate(self, slots: &mut [Slot], iterations: u32) {
        #[cfg(target_arch = "x86_64")]
        match self.0 {
            Instructions::Avx512 => {
                let beside_sha = is_there(Instructions::Sha);
                let least = if beside_sha { LEAST_OF_AVX512_BESIDE_SHA } else { LEAST_OF_AVX512 };
                let (groups, rest) = groups(slots, 16, least);
                for group in groups {
                    // SAFETY: a kernel is only made for a processor that was seen to have its instructions.
                    unsafe { avx512::iterate(group, iterations) };
                }
                let other = if beside_sha { Instructions::Sha } else { Instructions::Any };
                Self(other).iterate(rest, iterations);
            }
            Instructions::Avx2 => {
                let (groups, rest) = groups(slots, 8, LEAST_OF_AVX2);
                for group in groups {
                    // SAFETY: as above.
                    unsafe { avx2::iterate(group, iterations) };
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

/// Groups of `width` slots, the last of which may have fewer, and the slots that are left because they are fewer than
/// `least`.
#[cfg(target_arch = "x86_64")]
fn groups(slots: &mut [Slot], width: usize, least: usize) -> (std::slice::ChunksMut<'_, Slot>, &mut [Slot]) {
    let left = slots.len() % width;
    let grouped = if left < least { slots.len() - left } else { slots.len() };
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
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn streams_of_sha(slots: &mut [Slot], iterations: u32) {
    if let Some(two) = slots.as_mut_array::<2>() {
        streams::iterate(two, iterations);
    } else if let Some(one) = slots.as_mut_array::<1>() {
        streams::iterate(one, iterations);
    }
}
