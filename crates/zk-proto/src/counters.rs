//! The answer to GET_FREE_SIZES: how much a terminal holds and can hold.

/// Counters and capacities. `None` is "the terminal does not tell", never zero: answers have 1 to 28 words.
///
/// `records` is no promise: it can be 0 although the log has records (SpeedFace in access mode), and it can differ from the
/// log read a moment later, because somebody punched in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    pub users: Option<u32>,
    pub fingerprints: Option<u32>,
    pub records: Option<u32>,
    /// Entries of the operation log.
    pub operations: Option<u32>,
    /// One lineage reads cards here; a real sample fits administrators.
    pub administrators: Option<u32>,
    pub passwords: Option<u32>,
    pub faces: Option<u32>,
    pub fingerprint_capacity: Option<u32>,
    pub user_capacity: Option<u32>,
    pub record_capacity: Option<u32>,
}

impl Counters {
    /// Reads the little-endian words that are there.
    pub fn decode(data: &[u8]) -> Self {
        let word = |index: usize| {
            let bytes = data.get(index * 4..index * 4 + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        // A single word is no counter list: the WL20 sends one zero, whatever it holds.
        Self {
            users: word(4),
            fingerprints: word(6),
            records: word(8),
            operations: word(10),
            administrators: word(12),
            passwords: word(13),
            fingerprint_capacity: word(14),
            user_capacity: word(15),
            record_capacity: word(16),
            faces: word(20),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testdata::{hex, vectors};

    fn golden(name: &str) -> Vec<u8> {
        let vector = vectors(include_str!("../testdata/counters.txt"))
            .into_iter()
            .find(|vector| vector[0] == name)
            .expect("a named line");
        hex(&vector[1])
    }

    #[test]
    fn counters_of_a_real_f18() {
        let counters = Counters::decode(&golden("f18"));
        assert_eq!(
            counters,
            Counters {
                users: Some(3),
                fingerprints: Some(3),
                records: Some(58),
                operations: Some(90),
                administrators: Some(2),
                passwords: Some(2),
                faces: Some(0),
                fingerprint_capacity: Some(3000),
                user_capacity: Some(5000),
                record_capacity: Some(100_000),
            }
        );
    }

    #[test]
    fn missing_words_are_unknown() {
        let twenty = Counters::decode(&golden("f18")[..80]);
        assert_eq!((twenty.records, twenty.faces), (Some(58), None));
        assert_eq!(Counters::decode(&[0; 4]), Counters::default()); // a WL20
        let counters = Counters::decode(&golden("speedface"));
        assert_eq!((counters.users, counters.records), (Some(2), Some(3)));
        assert_eq!(counters.record_capacity, Some(200_000));
    }

    proptest! {
        #[test]
        fn no_input_panics(data in proptest::collection::vec(any::<u8>(), 0..130)) {
            Counters::decode(&data);
        }
    }
}
