//! Which instructions this processor has, and the calls of what is compiled for them. The one file of the workspace
//! with `unsafe` in it: calls of functions that use instructions which a processor may lack, and, for the benchmark
//! alone, loops of one such instruction.
//! Neighbours: [`super::batch`] and [`super::Midstates::derive`] call it; it calls [`super::avx512`], [`super::avx2`]
//! and [`super::streams`].

#![allow(unsafe_code)]

use super::slot::Slot;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512, streams};

/// One way to run derivations. [`Kernel::of_this_processor`] and [`Kernel::all`] alone make one, so that a kernel
/// exists only where the processor has its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kernel(Instructions);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
enum Instructions {
    /// Sixteen lanes of AVX-512F.
    Avx512,
    /// Two streams of the SHA extensions: a round waits four cycles for the one before and keeps its unit busy for two.
    Sha,
    /// Eight lanes of AVX2. With SHA extensions even one derivation at a time can be faster (an AMD EPYC without
    /// AVX-512: by 1.4), so they come before.
    Avx2,
    /// One after the other, on the instructions that `sha2` chooses.
    OneAtATime,
}

impl Instructions {
    /// The fastest first.
    const ALL: [Self; 4] = [Self::Avx512, Self::Sha, Self::Avx2, Self::OneAtATime];

    fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512f, 16 lanes",
            Self::Avx2 => "avx2, 8 lanes",
            Self::Sha => "sha, 2 streams",
            Self::OneAtATime => "one at a time",
        }
    }
}

/// The largest width of a kernel: the sixteen lanes of AVX-512.
pub(super) const MAX_WIDTH: usize = 16;

/// The least number of derivations in a group of sixteen lanes, which takes as long however full it is: with fewer,
/// pairs on the SHA extensions are faster. On a Zen 4 1,000 iterations of a group take 467 µs, those of a pair 102.
const LEAST_OF_AVX512_BESIDE_SHA: usize = 10;
/// The same without SHA extensions: there one derivation alone takes 348 µs.
const LEAST_OF_AVX512: usize = 2;
/// The same for eight lanes of AVX2, of which a group takes 510 µs there. Two would do; three leave room for
/// processors with fewer vector units than that one.
const LEAST_OF_AVX2: usize = 3;

impl Kernel {
    /// The fastest kernel of this processor.
    pub(crate) fn of_this_processor() -> Self {
        Self::all().next().unwrap_or(Self(Instructions::OneAtATime))
    }

    /// All kernels that this processor can run, the fastest first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Instructions::ALL.into_iter().filter(|one| is_available(*one)).map(Self)
    }

    /// The names of the kernels that this processor cannot run.
    #[cfg(test)]
    pub(super) fn missing() -> impl Iterator<Item = &'static str> {
        Instructions::ALL.into_iter().filter(|one| !is_available(*one)).map(Instructions::name)
    }

    /// The number of derivations that it runs at once.
    pub(crate) fn width(self) -> usize {
        match self.0 {
            Instructions::Avx512 => 16,
            Instructions::Avx2 => 8,
            Instructions::Sha => 2,
            Instructions::OneAtATime => 1,
        }
    }

    /// Its name for reports: instructions and width.
    pub(crate) fn name(self) -> &'static str {
        self.0.name()
    }

    /// The instructions that limit the speed of this kernel. Empty where none are known.
    pub(crate) fn workload(self) -> &'static [Workload] {
        #[cfg(target_arch = "x86_64")]
        match self.0 {
            Instructions::Avx512 => &repeated::AVX512,
            Instructions::Avx2 => &repeated::AVX2,
            Instructions::Sha => &repeated::SHA,
            Instructions::OneAtATime => &[],
        }
        #[cfg(not(target_arch = "x86_64"))]
        &[]
    }

    /// Advances each slot by this number of iterations.
    pub(super) fn iterate(self, slots: &mut [Slot], iterations: u32) {
        #[cfg(target_arch = "x86_64")]
        match self.0 {
            Instructions::Avx512 => {
                let beside_sha = is_available(Instructions::Sha);
                let least = if beside_sha { LEAST_OF_AVX512_BESIDE_SHA } else { LEAST_OF_AVX512 };
                let (groups, rest) = groups(slots, 16, least);
                for group in groups {
                    // SAFETY: a kernel is only made for a processor that was seen to have its instructions.
                    unsafe { avx512::iterate(group, iterations) };
                }
                let other = if beside_sha { Instructions::Sha } else { Instructions::OneAtATime };
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
            Instructions::OneAtATime => one_by_one(slots, iterations),
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
fn is_available(instructions: Instructions) -> bool {
    match instructions {
        Instructions::Avx512 => is_x86_feature_detected!("avx512f"),
        Instructions::Avx2 => is_x86_feature_detected!("avx2"),
        Instructions::Sha => {
            is_x86_feature_detected!("sha")
                && is_x86_feature_detected!("ssse3")
                && is_x86_feature_detected!("sse4.1")
        }
        Instructions::OneAtATime => true,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn is_available(instructions: Instructions) -> bool {
    instructions == Instructions::OneAtATime
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

/// One kind of instruction in a kernel, for the benchmark's model of the processor's limit.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// The instruction and the width of its registers.
    pub name: &'static str,
    /// How many of them one iteration of as many derivations as the kernel takes at once needs.
    pub per_iteration: u32,
    /// Executes the instruction [`REPEATED`] times for each of this number of rounds. None of them waits for another
    /// one.
    pub repeat: fn(rounds: u64),
    /// The same number of vector additions of the same width, each of which waits for the one before. One takes one
    /// cycle.
    pub repeat_dependent: fn(rounds: u64),
}

/// Instructions in one round of the loops of [`Workload`]: enough registers for any product of latency and rate today.
pub const REPEATED: u32 = 12;

/// Loops of one instruction, written in assembly so that no compiler makes fewer of them. Reached through a [`Kernel`]
/// alone, which exists where the processor has the instructions.
#[cfg(target_arch = "x86_64")]
mod repeated {
    use super::Workload;
    use core::arch::asm;

    /// A function that repeats `$operation`, with each of the registers as the first operand in turn.
    macro_rules! repeated {
        ($name:ident, $operation:literal, $kind:literal, [$($register:literal)*], $operands:literal) => {
            fn $name(rounds: u64) {
                // SAFETY: it writes registers that are declared, and touches no memory.
                unsafe {
                    asm!(
                        "2:",
                        $( concat!($operation, " ", $kind, $register, ", ", $operands), )*
                        "sub rcx, 1",
                        "ja 2b",
                        inout("rcx") rounds => _,
                        clobber_abi("sysv64"),
                        options(nomem, nostack),
                    );
                }
            }
        };
    }

    repeated!(add_512, "vpaddd", "zmm", [1 2 3 4 5 6 7 8 9 10 11 12], "zmm14, zmm15");
    repeated!(rotate_512, "vprold", "zmm", [1 2 3 4 5 6 7 8 9 10 11 12], "zmm15, 7");
    repeated!(shift_512, "vpsrld", "zmm", [1 2 3 4 5 6 7 8 9 10 11 12], "zmm15, 7");
    repeated!(ternary_512, "vpternlogd", "zmm", [1 2 3 4 5 6 7 8 9 10 11 12], "zmm14, zmm15, 0x96");
    repeated!(add_256, "vpaddd", "ymm", [1 2 3 4 5 6 7 8 9 10 11 12], "ymm14, ymm15");
    repeated!(shift_256, "vpsrld", "ymm", [1 2 3 4 5 6 7 8 9 10 11 12], "ymm15, 7");
    repeated!(xor_256, "vpxor", "ymm", [1 2 3 4 5 6 7 8 9 10 11 12], "ymm14, ymm15");
    repeated!(sha_rounds, "sha256rnds2", "xmm", [1 2 3 4 5 6 7 8 9 10 11 12], "xmm15");
    repeated!(dependent_512, "vpaddd", "zmm", [1 1 1 1 1 1 1 1 1 1 1 1], "zmm1, zmm15");
    repeated!(dependent_256, "vpaddd", "ymm", [1 1 1 1 1 1 1 1 1 1 1 1], "ymm1, ymm15");
    repeated!(dependent_128, "paddd", "xmm", [1 1 1 1 1 1 1 1 1 1 1 1], "xmm15");

    // One compression of a digest and its padding, as `rounds` has it. In rounds 8 to 15 the word is in the constant:
    // one addition less in each. The compiler computes what the schedule makes of padding alone: ten small sigmas, 19
    // additions.
    const SMALL_SIGMAS: u32 = 2 * 48 - 10;
    const BIG_SIGMAS: u32 = 2 * 64;
    const ADDITIONS: u32 = 7 * 64 - 8 + 3 * 48 - 19 + 8;
    const ROTATIONS: u32 = 3 * BIG_SIGMAS + 2 * SMALL_SIGMAS;
    /// The exclusive ors of an iteration with the sum of all.
    const SUM: u32 = 8;

    const fn of_512(name: &'static str, per_iteration: u32, repeat: fn(u64)) -> Workload {
        Workload { name, per_iteration, repeat, repeat_dependent: dependent_512 }
    }

    /// The choice, the majority and each sigma are one function of three bits.
    pub(super) const AVX512: [Workload; 4] = [
        of_512("vpaddd zmm", 2 * ADDITIONS, add_512),
        of_512("vprold zmm", 2 * ROTATIONS, rotate_512),
        of_512("vpsrld zmm", 2 * SMALL_SIGMAS, shift_512),
        of_512("vpternlogd zmm", 2 * (2 * 64 + BIG_SIGMAS + SMALL_SIGMAS) + SUM, ternary_512),
    ];

    const fn of_256(name: &'static str, per_iteration: u32, repeat: fn(u64)) -> Workload {
        Workload { name, per_iteration, repeat, repeat_dependent: dependent_256 }
    }

    /// A rotation is two shifts and an or, a sigma has two exclusive ors, the choice and the majority are three each.
    pub(super) const AVX2: [Workload; 3] = [
        of_256("vpaddd ymm", 2 * ADDITIONS, add_256),
        of_256("vpsrld and vpslld ymm", 2 * (2 * ROTATIONS + SMALL_SIGMAS), shift_256),
        of_256(
            "vpxor, vpand and vpor ymm",
            2 * (ROTATIONS + 2 * (BIG_SIGMAS + SMALL_SIGMAS) + (3 + 3) * 64) + SUM,
            xor_256,
        ),
    ];

    /// One instruction is two rounds of one derivation; two derivations are under way.
    pub(super) const SHA: [Workload; 1] = [Workload {
        name: "sha256rnds2",
        per_iteration: 2 * 2 * 64 / 2,
        repeat: sha_rounds,
        repeat_dependent: dependent_128,
    }];
}
