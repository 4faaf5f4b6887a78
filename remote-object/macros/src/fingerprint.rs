//! The number by which a method is known on the wire.

/// The 64-bit FNV-1a hash of a signature.
///
/// Both processes must come to the same number, though another compiler may have built the other: so it is this hash, which
/// is fixed for ever, and not one of the standard library's.
pub(crate) fn fingerprint(signature: &str) -> u64 {
    signature.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

#[cfg(test)]
mod tests;
