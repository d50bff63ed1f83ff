//! What a network does to the datagrams a terminal sends, scripted so that a run can be repeated.

use std::fmt;
use std::str::FromStr;

use super::device::Device;
use super::fault::Fault;

/// Which of the datagrams that a terminal sends, counted from when the fault is set.
///
/// The notation is `3` for every third, `20%` for a fifth of them, and `20%/7` for another fifth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagrams {
    /// Every so many, at least 1.
    Every(u64),
    /// So many of a hundred. The seed decides which, always the same.
    Percent {
        /// 0 to 100.
        percent: u8,
        /// Another number, other datagrams.
        seed: u64,
    },
}

impl Datagrams {
    /// Whether the `number`th datagram, from 1, is one of them.
    fn include(self, number: u64) -> bool {
        match self {
            Self::Every(step) => number.is_multiple_of(step.max(1)),
            Self::Percent { percent, seed } => scattered(seed, number) % 100 < u64::from(percent),
        }
    }
}

/// SplitMix64: numbers without a pattern, the same on every machine.
fn scattered(seed: u64, number: u64) -> u64 {
    let mut bits = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl fmt::Display for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(step) => write!(f, "{step}"),
            Self::Percent { percent, seed } => write!(f, "{percent}%/{seed}"),
        }
    }
}

impl FromStr for Datagrams {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let Some((percent, seed)) = text.split_once('%') else {
            let step = text.parse().ok().filter(|step| *step > 0);
            return step.map(Self::Every).ok_or(());
        };
        let percent = percent.parse().ok().filter(|percent| *percent <= 100);
        let seed = match seed.strip_prefix('/') {
            Some(seed) => seed.parse().ok(),
            None => seed.is_empty().then_some(0),
        };
        match (percent, seed) {
            (Some(percent), Some(seed)) => Ok(Self::Percent { percent, seed }),
            _ => Err(()),
        }
    }
}

impl Device {
    /// In which order the `count` datagrams of an answer arrive: some late, some twice, some not at all.
    pub(super) fn deliveries(&mut self, count: usize) -> Vec<usize> {
        let before = self.datagrams;
        self.datagrams += count as u64;
        let hit = |index: usize, pick: fn(&Fault) -> Option<Datagrams>| {
            let which = self.fault(pick);
            which.is_some_and(|which| which.include(before + index as u64 + 1))
        };
        let mut order: Vec<usize> = (0..count).collect();
        let mut index = 1;
        while index < count {
            let late = hit(index - 1, |fault| match fault {
                Fault::UdpReorder(which) => Some(*which),
                _ => None,
            });
            if late {
                order.swap(index - 1, index);
            }
            // One that is late is not made later still.
            index += 1 + usize::from(late);
        }
        let copies = |index: usize| {
            let lost = hit(index, |fault| match fault {
                Fault::UdpLoss(which) => Some(*which),
                _ => None,
            });
            let twice = hit(index, |fault| match fault {
                Fault::UdpTwice(which) => Some(*which),
                _ => None,
            });
            usize::from(!lost) << usize::from(twice)
        };
        let arriving = order.into_iter();
        arriving
            .flat_map(|index| std::iter::repeat_n(index, copies(index)))
            .collect()
    }
}
