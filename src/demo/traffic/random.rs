//! Ids as the platforms make them, from seeded randomness.
use rand::{Rng, RngExt};

/// `count` hexadecimal digits.
pub fn hex(rng: &mut impl Rng, count: usize) -> String {
    pick_chars(rng, "0123456789abcdef", count)
}

/// LINE's id of a user (`U`) or group (`C`).
pub fn line_id(rng: &mut impl Rng, letter: char) -> String {
    format!("{letter}{}", hex(rng, 32))
}

/// Facebook's message id.
pub fn mid(rng: &mut impl Rng) -> String {
    format!("m_{}", pick_chars(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 60))
}

/// `count` decimal digits, the first of which is not 0.
pub fn digits(rng: &mut impl Rng, count: usize) -> String {
    let mut text = pick_chars(rng, "123456789", 1);
    text += &pick_chars(rng, "0123456789", count - 1);
    text
}

/// A ULID of an instant: LINE's event ids.
pub fn ulid(rng: &mut impl Rng, at: i64) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let time = u128::from(at.unsigned_abs()) & 0xffff_ffff_ffff;
    let value = time << 80 | (u128::from(rng.random::<u64>()) << 16) | u128::from(rng.random::<u16>());
    (0..26).rev().map(|n| char::from(ALPHABET[(value >> (5 * n)) as usize & 31])).collect()
}

/// One of several.
pub fn pick<'a, T>(rng: &mut impl Rng, of: &'a [T]) -> &'a T {
    &of[rng.random_range(0..of.len())]
}

fn pick_chars(rng: &mut impl Rng, alphabet: &str, count: usize) -> String {
    let bytes = alphabet.as_bytes();
    (0..count).map(|_| char::from(bytes[rng.random_range(0..bytes.len())])).collect()
}
