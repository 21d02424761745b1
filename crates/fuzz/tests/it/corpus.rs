//! Every seed through its target, as it is and damaged. The damage is the same in every run: what is
//! new every time is `cargo xtask fuzz`.

use crate::seed::{self, Seed, survives};
use tidings_fuzz::{Target, target};

/// The most lengths that a seed is cut to: all of a short one, and some of a long one.
const CUTS: usize = 48;

/// How often a seed of a target is damaged, unless it has many seeds.
const DAMAGES: usize = 60;

/// The most damaged seeds of a target: all tests together take seconds in a debug build.
const MAX_DAMAGED: usize = 2_000;

#[test]
fn every_seed_is_survived() {
    for (target, seeds) in corpora() {
        for seed in &seeds {
            survives(target, seed, &seed.bytes);
        }
    }
}

#[test]
fn a_seed_that_is_cut_off_is_survived() {
    for (target, seeds) in corpora() {
        for seed in &seeds {
            let step = seed.bytes.len().div_ceil(CUTS).max(1);
            for length in (0..seed.bytes.len()).step_by(step) {
                survives(target, seed, &seed.bytes[..length]);
            }
        }
    }
}

#[test]
fn a_damaged_seed_is_survived() {
    for (target, seeds) in corpora() {
        let mut random = Random(1);
        let each = DAMAGES.min(MAX_DAMAGED / seeds.len());
        for seed in &seeds {
            for _ in 0..each {
                let other = &seeds[random.below(seeds.len())];
                survives(target, seed, &damaged(&mut random, seed, other));
            }
        }
    }
}

fn corpora() -> impl Iterator<Item = (Target, Vec<Seed>)> {
    target::all().map(|target| (target, seed::of(target)))
}

/// One to four times: bytes changed, removed, repeated, or continued with those of another seed.
fn damaged(random: &mut Random, seed: &Seed, other: &Seed) -> Vec<u8> {
    let mut bytes = seed.bytes.clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = bytes.len().min(at + random.below(9));
        match random.below(5) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 => {
                let byte = b"\0\"'%&=+\\{}[],:\xff\xc3;-.0 \n"[random.below(22)];
                bytes.insert(at, byte);
            }
            2 => {
                bytes.drain(at..end);
            }
            3 => {
                let repeated = bytes[at..end].to_vec();
                bytes.splice(at..at, repeated);
            }
            _ => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other.bytes[random.below(other.bytes.len() + 1)..]);
            }
        }
    }
    bytes
}

/// `SplitMix64`, from a fixed seed.
struct Random(u64);

impl Random {
    /// One of `0..count`.
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % count as u64).unwrap()
    }
}
