//! The iterations of many derivations side by side: lane n of every vector belongs to derivation n. Written once, as
//! a macro, for every kind of vector: `lanes!` fills a module that defines its `Vector`, its `WIDTH`, and the
//! operations on them. All 64 rounds stand in one function without a loop and without a call other than those
//! operations, so that the compiler has nothing to decide on which the speed depends.
//! Neighbours: `avx512` and `avx2` are such modules; [`super::processor`] calls their `iterate`.

/// One round of SHA-256 (FIPS 180-4 6.2.2, step 3) and, in three of every four rounds, the next word of the message
/// schedule (step 1): so all rounds have about as many instructions to choose from, the last sixteen as well, where
/// each instruction waits for the one before. `$i` is the number of the round. The letters a to h do not move to
/// their neighbours; the index of each letter does.
macro_rules! round {
    ($state:ident, $schedule:ident, $constants:ident, $i:literal) => {
        let [a, b, c] = [$state[(64 - $i) % 8], $state[(65 - $i) % 8], $state[(66 - $i) % 8]];
        let [e, f, g] = [$state[(68 - $i) % 8], $state[(69 - $i) % 8], $state[(70 - $i) % 8]];
        let mut h = add($state[(71 - $i) % 8], $constants[$i]);
        // The words 8 to 15 are padding: they are in the constants.
        if $i / 8 != 1 {
            h = add(h, $schedule[$i % 16]);
        }
        let sum = add(h, add(choose(e, f, g), big_sigma_1(e)));
        $state[(67 - $i) % 8] = add($state[(67 - $i) % 8], sum);
        if $i % 4 != 3 {
            // Word 16 + n takes the place of word n, whose round is over: n is at most `$i`.
            const N: usize = $i / 4 * 3 + $i % 4;
            let words = add($schedule[N % 16], $schedule[(N + 9) % 16]);
            let sigmas = add(small_sigma_0($schedule[(N + 1) % 16]), small_sigma_1($schedule[(N + 14) % 16]));
            $schedule[N % 16] = add(words, sigmas);
        }
        $state[(71 - $i) % 8] = add(sum, add(majority(a, b, c), big_sigma_0(a)));
    };
}

/// Many rounds, in the order of their numbers.
macro_rules! rounds {
    ($state:ident, $schedule:ident, $constants:ident, $($i:literal)*) => {
        $( { round!($state, $schedule, $constants, $i); } )*
    };
}

/// `iterate` for the module's vectors, with the attributes that its processor needs.
macro_rules! lanes {
    ($(#[$attribute:meta])*) => {
        /// Advances each slot by this number of iterations. The cost does not depend on the number of slots; those
        /// after the first `WIDTH` stay as they are.
        $(#[$attribute])*
        #[allow(unused_assignments, reason = "the lint does not see that round 63 makes no further word")]
        pub(super) fn iterate(slots: &mut [Slot], iterations: u32) {
            let zero = constant(0);
            let (mut inner, mut outer, mut last, mut sum) = ([zero; 8], [zero; 8], [zero; 8], [zero; 8]);
            for word in 0..8 {
                inner[word] = row(slots, |slot| slot.inner[word]);
                outer[word] = row(slots, |slot| slot.outer[word]);
                last[word] = row(slots, |slot| slot.last[word]);
                sum[word] = row(slots, |slot| slot.sum[word]);
            }
            let mut constants = [zero; 64];
            for (to, from) in constants.iter_mut().zip(ROUND_AND_PADDING) {
                *to = constant(from);
            }
            // A compiler that knows their values adds them last of all, which makes the path longer that the next round
            // waits for: a tenth of the time on a Zen 4.
            let constants = black_box(constants);
            for _ in 0..iterations {
                for midstate in [&inner, &outer] {
                    // The block that ends a hash of one pad and one digest (FIPS 180-4 6.2.2).
                    let mut state = *midstate;
                    let mut schedule = [zero; 16];
                    for word in 0..8 {
                        schedule[word] = last[word];
                        schedule[8 + word] = constant(PADDING[word]);
                    }
                    rounds!(state, schedule, constants, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
                    rounds!(state, schedule, constants, 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
                    rounds!(state, schedule, constants, 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47);
                    rounds!(state, schedule, constants, 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
                    for word in 0..8 {
                        last[word] = add(state[word], midstate[word]);
                    }
                }
                for word in 0..8 {
                    sum[word] = xor(sum[word], last[word]);
                }
            }
            for word in 0..8 {
                let (mut lasts, mut sums) = (words(last[word]), words(sum[word]));
                for (lane, slot) in slots.iter_mut().take(WIDTH).enumerate() {
                    slot.last[word] = lasts[lane];
                    slot.sum[word] = sums[lane];
                }
                lasts.zeroize();
                sums.zeroize();
            }
        }

        /// A vector of one word of every slot. Lanes without a slot hold zero.
        $(#[$attribute])*
        fn row(slots: &[Slot], word: impl Fn(&Slot) -> u32) -> Vector {
            let mut row = [0; WIDTH];
            for (to, slot) in row.iter_mut().zip(slots) {
                *to = word(slot);
            }
            let vector = vector(row);
            row.zeroize();
            vector
        }
    };
}

pub(super) use {lanes, round, rounds};
