//! What the event codes mean. `major` is tested first: 2/38 is a network fault, 5/38 a finger.

/// How a person was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Card,
    Finger,
    Face,
    Password,
    Palm,
    Iris,
    /// More than one means was required.
    Combined,
    /// A means we have no word for: QR code, Bluetooth, allow list.
    Other,
}

impl Means {
    /// The name of the verify mode, by which punches of all brands go.
    pub fn verify_mode(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Finger => "finger",
            Self::Face => "face",
            Self::Password => "password",
            Self::Palm => "palm",
            Self::Iris => "iris",
            Self::Combined => "combined",
            Self::Other => "unknown",
        }
    }
}

/// What an event says about attendance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// A successful authentication. A punch, if the row names a person.
    Authenticated(Means),
    /// Somebody was not let in. Shown, never counted.
    Refused,
    /// Doors, buttons, alarms, operations.
    Noise,
    /// An access event our table does not know.
    Unknown,
}

/// The meaning of an event. Source: docs/devices/hikvision.md, event codes; all codes decimal.
pub fn classify(major: u32, minor: u32) -> EventClass {
    if major != 5 {
        return EventClass::Noise;
    }
    if let Some(means) = successful(minor) {
        return EventClass::Authenticated(means);
    }
    match minor {
        3..=14
        | 35
        | 36
        | 39
        | 41
        | 42
        | 44
        | 45
        | 47..=49
        | 55
        | 56
        | 58
        | 59
        | 61
        | 62
        | 64
        | 65
        | 67
        | 68
        | 70
        | 71
        | 73
        | 74
        | 76
        | 78..=80
        | 102..=104
        | 112
        | 113
        | 117
        | 118
        | 148..=152
        | 154
        | 155
        | 157
        | 160
        | 162..=164
        | 168..=171
        | 180
        | 191
        | 192
        | 195
        | 202
        | 203
        | 208
        | 212 => EventClass::Refused,
        // 15 has two contradicting descriptions; 34 and 229 are passwords shared by everybody.
        15 | 17..=34 | 37 | 51 | 83..=93 | 229 => EventClass::Noise,
        _ => EventClass::Unknown,
    }
}

/// The successful authentications of major 5. The employee number typed before a finger or a face says who, not how.
fn successful(minor: u32) -> Option<Means> {
    Some(match minor {
        1 | 219 | 227 => Means::Card,
        38 | 69 => Means::Finger,
        75 | 77 => Means::Face,
        101 | 179 | 181 => Means::Password,
        1799 => Means::Palm,
        190 => Means::Iris,
        2 | 16 | 40 | 43 | 46 | 54 | 57 | 60 | 63 | 66 | 72 | 105 | 153 => Means::Combined,
        144 | 156 | 159 | 226 | 2061 => Means::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(major: u32, minor: u32, class: EventClass) {
        assert_eq!(classify(major, minor), class, "{major}/{minor}");
    }

    #[test]
    fn major_is_tested_first() {
        check(5, 38, EventClass::Authenticated(Means::Finger));
        check(2, 38, EventClass::Noise);
        check(3, 1, EventClass::Noise);
        check(1, 75, EventClass::Noise);
    }

    #[test]
    fn every_successful_authentication_of_the_table() {
        let table = [
            1, 2, 16, 38, 40, 43, 46, 54, 57, 60, 63, 66, 69, 72, 75, 77, 101, 105, 144, 153, 156,
            159, 179, 181, 190, 219, 226, 227, 1799, 2061,
        ];
        let ours: Vec<u32> = (0..4096)
            .filter(|minor| matches!(classify(5, *minor), EventClass::Authenticated(_)))
            .collect();
        assert_eq!(ours, table);
    }

    #[test]
    fn refusals_doors_and_unknown_codes() {
        check(5, 76, EventClass::Refused);
        check(5, 9, EventClass::Refused);
        check(5, 21, EventClass::Noise);
        check(5, 23, EventClass::Noise);
        check(5, 34, EventClass::Noise);
        check(5, 4000, EventClass::Unknown);
    }
}
