//! Everything the *why* panel shows (R120): what a fact is. `explain` collects them.

use serde::{Deserialize, Serialize};

/// How a report came about, in facts with their rule numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Derivation {
    pub facts: Vec<Fact>,
}

/// One step of the derivation.
///
/// Wall times in `values` are those of the site, as `YYYY-MM-DDTHH:MM:SS`; a punch also says its own clock and zone.
///
/// | topic | values |
/// |---|---|
/// | `plan` | `day` (holiday, weekly_off, leave, on_duty, working), `shift`, `from` (override, weekly_off pattern, cycle, week, nothing), `segments`, `breaks`, `core`, `judged` (segments left by leave or duty), `planned_min`; of an automatic choice `punch` and `distances_min` |
/// | `window` | `opening`, `closing`, the same after clipping as `counts_from`, `counts_to`, and `now` |
/// | `punch` | `id`, `at`, `source` (device, added, roll_call), `device`, `clock`, `zone`, `state`, `received_at`; `use` (first_in, last_out, pair, between, passed_over) or `ignored` with the reason, and `by`: the id of the punch that counts instead, or of the correction |
/// | `worked` | an interval that counts: `from`, `to`, `min`; or one taken out: the same with `deducted` true; or `min` with `credited` true |
/// | `threshold` | `name`, `found`, `limit`, `exceeded`, of late and early `planned`; times, seconds with `unit` s, or minutes with `unit` min |
/// | `coverage` | `device`, `covered_to`, `gaps` that meet the window, `read_to` (without a gap, at most `needed_to`), `needed_to`, `covered`; without `device`: none is relevant |
/// | `verdict` | `status`, `stage`, `reason`, `seen`; of a working day without a punch `due`, until when nobody is |
/// | `policy` | the values that differ from the defaults, by name |
/// | `correction` | `id`, `kind` (add, void), `of`, `author`, `reason`, `made_at` |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The first column above.
    pub topic: String,
    /// Rule numbers, e.g. `R20`.
    pub rules: Vec<String>,
    pub values: serde_json::Value,
}
