//! The company of the demo: invented people, their terminals, and what they punch on which day.
//!
//! Everything follows from the seed and the date, so two runs with the same seed show the same history. Pure: no clock, no
//! terminal, no database.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{SignedDuration, ToSpan};

pub const NAME: &str = "Crescent Textiles";
pub const SITE: &str = "Karachi mill";
pub const ZONE: &str = "Asia/Karachi";
pub const OWNER: (&str, &str) = ("Farhan Rasheed", "owner@crescent.example");

/// People per department.
pub const DEPARTMENTS: &[(&str, usize)] = &[
    ("Weaving", 34),
    ("Spinning", 27),
    ("Dyeing and finishing", 20),
    ("Warehouse", 15),
    ("Quality", 11),
    ("Maintenance", 8),
    ("Admin and HR", 7),
    ("Sales and export", 6),
];

/// The terminals, in the order of [`Person::terminal`].
pub const TERMINALS: &[&str] = &[
    "Main gate",
    "Mill floor A",
    "Mill floor B",
    "Office lobby",
    "Warehouse",
    "Gate 2",
];
/// The terminal without contact between these times of every day.
pub const FAILING: usize = 5;
pub const FAILS_FROM: Time = Time::constant(8, 41, 0, 0);
pub const FAILS_TO: Time = Time::constant(9, 50, 0, 0);

const GIVEN: &[&str] = &[
    "Nabil", "Prakash", "Rubina", "Karim", "Danish", "Sami", "Faisal", "Dilshan", "Shahid",
    "Ayesha", "Bilal", "Hina", "Imran", "Javed", "Kiran", "Lakshmi", "Marta", "Nadia", "Omar",
    "Priya", "Qasim", "Rukhsana", "Saima", "Tomasz", "Usman", "Vikram", "Wei", "Yasmin", "Zainab",
    "Arjun", "Beatriz", "Chen", "Deepa", "Elif", "Fatima", "Gustavo", "Harish", "Ines", "Jorge",
    "Katarina", "Leila", "Mehmet",
];
const FAMILY: &[&str] = &[
    "Saad",
    "Adhikari",
    "Yasmin",
    "Benslimane",
    "Aslam",
    "Haddadin",
    "Al-Otaibi",
    "Perera",
    "Afzal",
    "Siddiqui",
    "Nadeem",
    "Raghunathan",
    "Anwar",
    "Bibi",
    "Narayanan",
    "Reddy",
    "Wójcik",
    "Mahmood",
    "Jovanović",
    "Lindqvist",
    "Qureshi",
    "Malik",
    "Chaudhry",
    "Fernando",
    "Hussain",
    "Iqbal",
    "Kaya",
    "Lopes",
    "Menon",
    "Noor",
    "Okafor",
];

#[derive(Clone, Debug)]
pub struct Person {
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    /// Index into [`DEPARTMENTS`].
    pub department: usize,
    /// Index into [`TERMINALS`]: the one this person uses.
    pub terminal: usize,
    /// The number on the terminal.
    pub device_user: String,
    /// Nobody has told Muster whose number it is: the mapping inbox shows it.
    pub unmapped: bool,
    pub weekly_off: Weekday,
    pub on_leave: bool,
    /// Seconds from 09:00 at which this person usually comes.
    usual: i64,
    index: u64,
}

/// One clock event that will happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planned {
    pub at: DateTime,
    pub terminal: usize,
    pub device_user: String,
    pub leaving: bool,
}

#[derive(Debug)]
pub struct Company {
    pub people: Vec<Person>,
    seed: u64,
    /// The day the demo begins; leave is around it.
    first_day: Date,
}

impl Company {
    pub fn new(seed: u64, first_day: Date) -> Self {
        let mut people = Vec::new();
        for (department, (_, size)) in DEPARTMENTS.iter().enumerate() {
            for place in 0..*size {
                people.push(person(seed, people.len() as u64, department, place));
            }
        }
        let mut company = Self {
            people,
            seed,
            first_day,
        };
        company.choose_leave();
        company
    }

    /// Six of those who would work on the first day are on leave around it.
    fn choose_leave(&mut self) {
        let weekday = self.first_day.weekday();
        let candidates: Vec<usize> = (0..self.people.len())
            .filter(|&i| self.people[i].weekly_off != weekday && self.people[i].terminal != FAILING)
            .collect();
        for i in 0..6 {
            self.people[candidates[7 + i * candidates.len() / 7]].on_leave = true;
        }
    }

    /// First and last day of the leave of those who have it.
    pub fn leave(&self) -> (Date, Date) {
        (self.first_day - 2.days(), self.first_day + 2.days())
    }

    /// Everything that is punched on `day`, in order of time.
    pub fn punches(&self, day: Date) -> Vec<Planned> {
        let mut planned: Vec<Planned> = self
            .people
            .iter()
            .flat_map(|person| self.punches_of(person, day))
            .collect();
        planned.sort();
        planned
    }

    fn punches_of(&self, person: &Person, day: Date) -> Vec<Planned> {
        let (leave_from, leave_to) = self.leave();
        let away = person.weekly_off == day.weekday()
            || person.on_leave && (leave_from..=leave_to).contains(&day);
        let mut dice = Dice::new(self.seed ^ 0xDA7, person.index, day);
        if away || dice.one_in(28) {
            return Vec::new();
        }
        let nine = day.at(9, 0, 0, 0);
        let late = dice.one_in(12);
        let arrives = if late {
            dice.between(11 * 60, 26 * 60)
        } else {
            (person.usual + dice.between(-360, 360)).min(9 * 60)
        };
        let leaves = 9 * 3600 + dice.between(20, 40 * 60);
        let mut planned = Vec::new();
        let mut punch = |seconds: i64, leaving: bool| {
            let at = nine + SignedDuration::from_secs(seconds);
            planned.push(Planned {
                at,
                terminal: person.terminal,
                device_user: person.device_user.clone(),
                leaving,
            });
        };
        punch(arrives, false);
        if dice.one_in(20) {
            punch(arrives + dice.between(3, 40), false); // a double tap
        }
        if !dice.one_in(60) {
            punch(leaves, true); // else the exit was forgotten
        }
        planned
    }
}

fn person(seed: u64, index: u64, department: usize, place: usize) -> Person {
    let mut dice = Dice::new(seed, index, Date::constant(2000, 1, 1));
    let i = index as usize;
    // Walking both lists at different speeds gives every person a name of their own.
    let first_name = GIVEN[i % GIVEN.len()].to_owned();
    let last_name = FAMILY[(i * 7 + i / GIVEN.len()) % FAMILY.len()].to_owned();
    let terminal = match department {
        0 => 1,
        1 | 4 => 2,
        2 | 5 => 0,
        3 if place >= 13 => FAILING,
        3 => 4,
        _ => 3,
    };
    // Twelve people are off on each weekday, the others on Sunday: the mill runs all week. The two at the failing gate work on weekdays.
    let weekly_off = match index {
        _ if terminal == FAILING => Weekday::Sunday,
        0..72 => [
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
            Weekday::Saturday,
        ][i % 6],
        _ => Weekday::Sunday,
    };
    Person {
        code: format!("EMP-{:03}", index + 1),
        first_name,
        last_name,
        department,
        terminal,
        device_user: (1001 + index).to_string(),
        unmapped: index == 63,
        weekly_off,
        on_leave: false,
        usual: -dice.between(0, 55 * 60) / 2 - dice.between(0, 55 * 60) / 2,
        index,
    }
}

/// Repeatable chance: a fresh SplitMix64 stream per seed, person and day.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, person: u64, day: Date) -> Self {
        let day = (i64::from(day.year()) * 372 + i64::from(day.month()) * 31 + i64::from(day.day()))
            as u64;
        let mut dice = Self(
            seed ^ person.wrapping_mul(0x9E37_79B9_7F4A_7C15)
                ^ day.wrapping_mul(0xBF58_476D_1CE4_E5B9),
        );
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low) as u64) as i64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_tuesday_looks_like_the_story() {
        let tuesday = date(2026, 5, 12);
        let company = Company::new(1, tuesday);
        assert_eq!(company.people.len(), 128);
        let off = company
            .people
            .iter()
            .filter(|p| p.weekly_off == Weekday::Tuesday)
            .count();
        let leave = company.people.iter().filter(|p| p.on_leave).count();
        assert_eq!((off, leave), (12, 6));
        let punches = company.punches(tuesday);
        let came: BTreeSet<_> = punches.iter().map(|p| &p.device_user).collect();
        assert!((100..=110).contains(&came.len()), "{} came", came.len());
        assert!(punches.iter().all(|p| p.at.date() == tuesday));
    }

    #[test]
    fn names_and_numbers_are_unique_and_the_seed_repeats() {
        let company = Company::new(7, date(2026, 5, 12));
        let names: BTreeSet<_> = company
            .people
            .iter()
            .map(|p| (&p.first_name, &p.last_name))
            .collect();
        let numbers: BTreeSet<_> = company.people.iter().map(|p| &p.device_user).collect();
        assert_eq!((names.len(), numbers.len()), (128, 128));
        let again = Company::new(7, date(2026, 5, 12));
        assert_eq!(
            company.punches(date(2026, 4, 1)),
            again.punches(date(2026, 4, 1))
        );
        assert_ne!(
            company.punches(date(2026, 4, 1)),
            Company::new(8, date(2026, 5, 12)).punches(date(2026, 4, 1))
        );
    }
}
