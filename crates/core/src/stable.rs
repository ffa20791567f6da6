//! Chance that can be repeated: hashes that are the same on all nodes and in all versions.

/// The hash of a text by FNV-1a (Fowler, Noll, Vo), 64 bits.
pub fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Spreads a number over all bits, each number to another: the last step of SplitMix64 (Steele, Lea, Flood).
pub fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// 2^64 divided by the golden ratio: its multiples are spread more evenly over a circle than those of any other number.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
