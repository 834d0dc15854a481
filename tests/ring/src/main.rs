//! Derivations a second on one core by ring's PBKDF2-HMAC-SHA256, for `make bench`: so many, of so many iterations
//! each.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Instant;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let (Some(count), Some(iterations)) = (numbers.next(), numbers.next().and_then(NonZeroU32::new)) else {
        eprintln!("usage: landbridge-peer-ring COUNT ITERATIONS");
        std::process::exit(2);
    };
    let began = Instant::now();
    for _ in 0..count {
        let mut derived = [0; 32];
        let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA256;
        ring::pbkdf2::derive(algorithm, iterations, b"ten bytes.", &[7; 64], &mut derived);
        black_box(derived);
    }
    println!("{}", f64::from(count) / began.elapsed().as_secs_f64());
}
