//! A clock event as a device recorded it, in our words whatever the brand.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::DeviceUserId;

/// One clock event as a device recorded it. Which device, which zone and which instant are known to whoever stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Punch {
    pub user: DeviceUserId,
    /// Wall time as the terminal shows it, whole seconds, without zone.
    pub clock: DateTime,
    /// The offset the terminal itself reported, if it does. It only chooses between the two occurrences of a repeated
    /// autumn hour (R4); it never moves a punch.
    pub offset: Option<Offset>,
    pub state: PunchState,
    pub verify: VerifyMode,
    /// The zero-based place in the log, or the serial number of the event.
    pub record: u64,
}

macro_rules! named_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$vdoc])* $variant),+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used in the database, in files and on the command line.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// The value of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

named_set! {
    /// The key that was pressed. A hint, used only where a device is set to trusted (R40).
    PunchState {
        #[default]
        None = "none",
        In = "in",
        Out = "out",
        BreakOut = "break_out",
        BreakIn = "break_in",
        OvertimeIn = "overtime_in",
        OvertimeOut = "overtime_out",
    }
}

named_set! {
    /// How the terminal recognised the person. Shown, never judged.
    VerifyMode {
        #[default]
        Unknown = "unknown",
        Password = "password",
        Finger = "finger",
        Card = "card",
        Face = "face",
        Palm = "palm",
        Iris = "iris",
        /// More than one means was required.
        Combined = "combined",
    }
}

named_set! {
    /// How a punch reached us. The order is the precedence of the state (decision of identity): poll, push, live, import.
    Way {
        #[default]
        Poll = "poll",
        Push = "push",
        Live = "live",
        Import = "import",
    }
}

pub(crate) use named_set;
