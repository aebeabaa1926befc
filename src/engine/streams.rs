//! Random streams: one seed per run, one independent generator per named source of chance.
//!
//! The algorithm is fixed by name (ChaCha with 8 rounds), so that a seed gives the same numbers in
//! every release. A name, not an order of creation, selects a stream: adding a source of chance
//! does not change the others, and two systems under comparison get the same random numbers (common
//! random numbers).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// One source of chance: a counter-based generator of its own.
pub type Stream = ChaCha8Rng;

/// Hands out the named streams of one replication of one run.
#[derive(Clone, Copy, Debug)]
pub struct RandomStreams {
    seed: u64,
    replication: u32,
}

impl RandomStreams {
    /// The streams of replication `replication` under `seed`.
    pub fn new(seed: u64, replication: u32) -> Self {
        Self { seed, replication }
    }

    /// The generator called `name`; the same name gives the same numbers from the start again.
    ///
    /// Seed and replication make the key, the name picks one of the key's 2^64 streams.
    pub fn stream(&self, name: &str) -> Stream {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..12].copy_from_slice(&self.replication.to_le_bytes());
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(fnv1a(name.as_bytes()));
        stream
    }

    /// A 64-bit seed for a generator of another kind, LoadGen's own for one.
    pub fn seed_of(&self, name: &str) -> u64 {
        rand::Rng::next_u64(&mut self.stream(name))
    }
}

/// The 64-bit FNV-1a hash (Fowler, Noll and Vo): short, and fixed for good.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_stream_depends_on_seed_replication_and_name_only() {
        let draw =
            |seed, replication, name| RandomStreams::new(seed, replication).stream(name).next_u64();
        assert_eq!(draw(1, 0, "sizes/vm-1"), draw(1, 0, "sizes/vm-1"));
        assert_ne!(draw(1, 0, "sizes/vm-1"), draw(1, 0, "sizes/vm-2"));
        assert_ne!(draw(1, 0, "sizes/vm-1"), draw(1, 1, "sizes/vm-1"));
        assert_ne!(draw(1, 0, "sizes/vm-1"), draw(2, 0, "sizes/vm-1"));
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // Reference value of the algorithm's authors for "foobar".
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
