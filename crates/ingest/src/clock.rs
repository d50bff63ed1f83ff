//! Where time comes from. Everything else takes time as an argument, or asks the application's [`Clock`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The application's clock; cheap to clone, clones share it.
///
/// Two times exist. *Application time* ([`Clock::now`]) is what punches, reports and polls are dated with; it may run faster
/// than life, or stand still in a test. *Real time* ([`Clock::real_now`]) is for what must not run faster: leases, sign-in sessions.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System,
    Scaled {
        start: Timestamp,
        speed: f64,
        began: Instant,
    },
    Stopped(Mutex<Timestamp>),
}

impl Clock {
    /// The computer's clock.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// Starts at `start` now and runs `speed` times as fast as life.
    pub fn scaled(start: Timestamp, speed: f64) -> Self {
        Self(Arc::new(Source::Scaled {
            start,
            speed: speed.max(0.0),
            began: Instant::now(),
        }))
    }

    /// Stands at `at` until [`Clock::set`] moves it. For tests, and for work as of a fixed instant.
    pub fn stopped(at: Timestamp) -> Self {
        Self(Arc::new(Source::Stopped(Mutex::new(at))))
    }

    /// Moves a stopped clock; no other kind can be moved.
    pub fn set(&self, at: Timestamp) {
        if let Source::Stopped(now) = &*self.0 {
            *now.lock().unwrap_or_else(PoisonError::into_inner) = at;
        }
    }

    /// Application time, whole milliseconds, because that is what the database keeps.
    pub fn now(&self) -> Timestamp {
        let now = match &*self.0 {
            Source::System => return self.real_now(),
            Source::Scaled {
                start,
                speed,
                began,
            } => {
                let elapsed =
                    SignedDuration::try_from_secs_f64(began.elapsed().as_secs_f64() * speed)
                        .unwrap_or(SignedDuration::MAX);
                start.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
            }
            Source::Stopped(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
        };
        whole_millis(now)
    }

    /// Real time, whole milliseconds, for leases and sessions.
    #[allow(clippy::disallowed_methods)] // The one place that reads the computer's clock.
    pub fn real_now(&self) -> Timestamp {
        whole_millis(Timestamp::now())
    }

    /// How long to wait in real time until the application's clock shows `at`; zero when it already does, `None` for never.
    pub fn real_time_until(&self, at: Timestamp) -> Option<Duration> {
        let ahead = Duration::try_from(at.duration_since(self.now())).unwrap_or(Duration::ZERO);
        match &*self.0 {
            _ if ahead.is_zero() => Some(ahead),
            Source::System => Some(ahead),
            Source::Scaled { speed, .. } => {
                Duration::try_from_secs_f64(ahead.as_secs_f64() / speed).ok()
            }
            Source::Stopped(_) => None,
        }
    }
}

fn whole_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_stopped_clock_moves_only_when_set() {
        let clock = Clock::stopped(at("2026-03-02T08:00:00.1239Z"));
        assert_eq!(clock.now(), at("2026-03-02T08:00:00.123Z"));
        assert_eq!(clock.real_time_until(at("2026-03-02T09:00:00Z")), None);
        clock.clone().set(at("2026-03-02T09:00:00Z"));
        assert_eq!(
            clock.real_time_until(at("2026-03-02T09:00:00Z")),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn a_scaled_clock_shortens_waiting() {
        let start = at("2026-03-02T08:00:00Z");
        let clock = Clock::scaled(start, 20.0);
        assert!(clock.now() >= start);
        let wait = clock
            .real_time_until(start + Duration::from_secs(3600))
            .expect("it runs");
        assert!(wait <= Duration::from_secs(180) && wait > Duration::from_secs(170));
    }

    #[test]
    fn a_clock_of_speed_zero_never_gets_there() {
        let start = at("2026-03-02T08:00:00Z");
        let clock = Clock::scaled(start, 0.0);
        assert_eq!(clock.now(), start);
        assert_eq!(clock.real_time_until(start + Duration::from_secs(1)), None);
    }
}
