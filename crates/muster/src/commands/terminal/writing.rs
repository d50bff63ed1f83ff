//! Writing: people, restart, door, voice and screen of one terminal. Each command says what was done and what was read back.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use attendance::DeviceUserId;
use jiff::civil::{Date, Time};
use terminals::{
    Deadline, DoorUnit, Effect, Limit, Privilege, Target, Terminal, TerminalError, UserChange,
    UserDetails,
};

use super::advice::failure;
use super::{Place, connect, end, wall_text};
use crate::commands::secret_from_stdin;
use crate::output::{self, Failure, Usage, plain};

/// How long a terminal may be away when it restarts; most are back within a minute.
const BACK_WITHIN: Duration = Duration::from_secs(180);
/// For how long a door opens when nobody says.
const UNLOCK_SECS: u64 = 5;
/// Between two attempts to reach it again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For one of these attempts.
const LOOK_FOR: Duration = Duration::from_secs(5);

#[derive(clap::Subcommand)]
pub enum Command {
    /// Creates or changes a user of the terminal, and prints the user as the terminal shows them then. What is not named stays
    /// as it is.
    ///
    /// Example: muster terminal set-user zk://10.0.0.9 --id 1042 --name "Aziza K." --card 6543210
    SetUser {
        #[command(flatten)]
        place: Place,
        /// The number on the terminal; zeros in front count.
        #[arg(long)]
        id: String,
        /// As the terminal shows it; how long it may be depends on the model.
        #[arg(long)]
        name: Option<String>,
        /// What they may do at the terminal's menu.
        #[arg(long, value_enum)]
        privilege: Option<Right>,
        /// The number of the card; 0 takes it away. Once for each card, where the terminal takes more than one.
        #[arg(long, value_name = "NUMBER")]
        card: Vec<String>,
        /// Reads the password for the keypad from standard input.
        #[arg(long)]
        password_stdin: bool,
        /// From when on the terminal lets them in; none takes the limit away. Hikvision only.
        #[arg(long, value_name = "DATE[TIME]", value_parser = from_text)]
        valid_from: Option<Limit>,
        /// Until when, a day as a whole; none takes the limit away. Hikvision only.
        #[arg(long, value_name = "DATE[TIME]", value_parser = until_text)]
        valid_until: Option<Limit>,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Deletes a user of the terminal with their fingerprints, card and password. Their punches stay, there and here.
    ///
    /// Example: muster terminal delete-user zk://10.0.0.9 --id 1042 --yes
    DeleteUser {
        #[command(flatten)]
        place: Place,
        /// The number on the terminal; zeros in front count.
        #[arg(long)]
        id: String,
        /// Yes, delete: nothing brings the fingerprints back.
        #[arg(long, required = true)]
        yes: bool,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Gives a user of a Hikvision terminal the face of a picture, in the place of the one they have.
    ///
    /// Example: muster terminal set-face hik://admin:Abc12345@10.0.0.10 --id 1042 --file aziza.jpg
    SetFace {
        #[command(flatten)]
        place: Place,
        /// The number on the terminal; zeros in front count.
        #[arg(long)]
        id: String,
        /// A JPEG of at most 200 kB with one face from the front. It is sent to the terminal and kept nowhere.
        #[arg(long)]
        file: PathBuf,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Deletes the face of a user of a Hikvision terminal. Card, password and fingerprints stay.
    ///
    /// Example: muster terminal delete-face hik://admin:Abc12345@10.0.0.10 --id 1042 --yes
    DeleteFace {
        #[command(flatten)]
        place: Place,
        /// The number on the terminal; zeros in front count.
        #[arg(long)]
        id: String,
        /// Yes, delete: the terminal gives no face back.
        #[arg(long, required = true)]
        yes: bool,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Restarts the terminal and waits until it answers again.
    ///
    /// Example: muster terminal restart zk://10.0.0.9
    Restart {
        #[command(flatten)]
        place: Place,
        /// Prints one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Opens the door. The terminal says whether it did; that the door moved cannot be read back.
    ///
    /// Example: muster terminal unlock zk://10.0.0.9 --secs 5
    Unlock {
        #[command(flatten)]
        place: Place,
        /// For how long, 5 seconds if not said. A Hikvision terminal decides that itself.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
        secs: Option<u64>,
        /// In what this ZKTeco model counts. If the door stays open ten times too long, it is seconds.
        #[arg(long, value_enum, default_value_t = Unit::Tenths)]
        unit: Unit,
    },
    /// Plays a voice of the terminal: 0 "thank you", 1 wrong password, 2 access denied, 4 try again, 10 and 11 beeps; not every
    /// model has all.
    ///
    /// Example: muster terminal voice zk://10.0.0.9 10
    Voice {
        #[command(flatten)]
        place: Place,
        #[arg(value_name = "N", default_value_t = 0)]
        voice: u32,
    },
    /// Shows a text on the screen until it is cleared or the terminal draws over it. It cannot be read back.
    ///
    /// Example: muster terminal show zk://10.0.0.9 "Fire drill at 11" --line 2
    Show {
        #[command(flatten)]
        place: Place,
        #[arg(required_unless_present = "clear")]
        text: Option<String>,
        /// On which line.
        #[arg(long, default_value_t = 1)]
        line: u16,
        /// Takes away what was shown.
        #[arg(long, conflicts_with_all = ["text", "line"])]
        clear: bool,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Right {
    User,
    /// May enrol others.
    Enroller,
    Manager,
    Admin,
}

impl From<Right> for Privilege {
    fn from(right: Right) -> Self {
        match right {
            Right::User => Self::User,
            Right::Enroller => Self::Enroller,
            Right::Manager => Self::Manager,
            Right::Admin => Self::Admin,
        }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Unit {
    /// Tenths of a second, as most models.
    Tenths,
    Seconds,
}

impl From<Unit> for DoorUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Tenths => Self::Tenths,
            Unit::Seconds => Self::Seconds,
        }
    }
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::SetUser {
            place,
            id,
            name,
            privilege,
            card,
            password_stdin,
            valid_from,
            valid_until,
            json,
        } => {
            let target = place.target()?;
            let change = UserChange {
                id: user_id(&id)?,
                name,
                privilege: privilege.map(Privilege::from),
                cards: cards(card),
                password: match password_stdin {
                    true => Some(secret_from_stdin("password")?),
                    false => None,
                },
                valid_from,
                valid_until,
            };
            set_user(&target, &change, json).await
        }
        Command::DeleteUser {
            place,
            id,
            yes: _,
            json,
        } => delete_user(&place.target()?, &user_id(&id)?, json).await,
        Command::SetFace {
            place,
            id,
            file,
            json,
        } => {
            let picture = std::fs::read(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            set_face(&place.target()?, &user_id(&id)?, &picture, json).await
        }
        Command::DeleteFace {
            place,
            id,
            yes: _,
            json,
        } => delete_face(&place.target()?, &user_id(&id)?, json).await,
        Command::Restart { place, json } => restart(&place.target()?, json).await,
        Command::Unlock { place, secs, unit } => {
            let target = place.target()?;
            let open = match target.kind.times_door() {
                true => Some(secs.unwrap_or(UNLOCK_SECS)),
                false => secs,
            };
            let mut terminal = connect(&target).await?;
            let done = terminal
                .unlock(open.map(Duration::from_secs), unit.into())
                .await;
            let ((), serial) = end(terminal, &target, done).await?;
            match open {
                Some(secs) => println!("{serial} says that the door is open for {secs} s"),
                None => {
                    println!("{serial} says that the door is open, for as long as it is set to")
                }
            }
            Ok(())
        }
        Command::Voice { place, voice } => {
            let target = place.target()?;
            let mut terminal = connect(&target).await?;
            let done = terminal.voice(voice).await;
            let ((), serial) = end(terminal, &target, done).await?;
            println!("{serial} says that voice {voice} was played");
            Ok(())
        }
        Command::Show {
            place, text, line, ..
        } => {
            let target = place.target()?;
            let mut terminal = connect(&target).await?;
            let done = match &text {
                Some(text) => terminal.show(line, text).await,
                None => terminal.clear_screen().await,
            };
            let ((), serial) = end(terminal, &target, done).await?;
            match text {
                Some(_) => println!("{serial} says that the text is in line {line}"),
                None => println!("{serial} says that the screen is cleared"),
            }
            Ok(())
        }
    }
}

/// `None` names none of them; a lone 0 is no card.
fn cards(named: Vec<String>) -> Option<Vec<String>> {
    match &named[..] {
        [] => None,
        [none] if none == "0" => Some(Vec::new()),
        _ => Some(named),
    }
}

fn from_text(text: &str) -> Result<Limit, String> {
    limit(text, Time::midnight())
}

fn until_text(text: &str) -> Result<Limit, String> {
    limit(text, Time::constant(23, 59, 59, 0))
}

/// `of_day` is the time of a date without one.
fn limit(text: &str, of_day: Time) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit::Never);
    }
    let day = text
        .parse::<Date>()
        .ok()
        .filter(|_| !text.contains([':', 'T']));
    let at = day.map(|day| day.to_datetime(of_day));
    at.or_else(|| text.parse().ok())
        .map(Limit::At)
        .ok_or_else(|| "expected 2026-12-31, 2026-12-31T18:00 or none".to_owned())
}

pub fn user_id(text: &str) -> Result<DeviceUserId, Usage> {
    DeviceUserId::parse(text).ok_or_else(|| {
        Usage(format!(
            "{text:?} is no user id; expected 1 to 32 characters like 1042"
        ))
    })
}

async fn set_user(target: &Target, change: &UserChange, json: bool) -> anyhow::Result<()> {
    let bar = output::progress(None, "writing the user");
    let mut terminal = connect(target).await?;
    let written = terminal.set_user(change).await;
    let ended = end(terminal, target, written).await;
    bar.finish_and_clear();
    let (written, serial) = ended?;
    let user = &written.user;
    if json {
        let effect = match written.effect {
            Effect::Created => "created",
            Effect::Changed => "changed",
            Effect::AlreadySo => "unchanged",
        };
        println!("{}", user_json(effect, &serial, user));
        return Ok(());
    }
    let id = plain(user.id.as_str());
    match written.effect {
        Effect::Created => println!("created user {id} on {serial}; read back:"),
        Effect::Changed => println!("changed user {id} on {serial}; read back:"),
        Effect::AlreadySo => println!("user {id} on {serial} is so already; nothing was written:"),
    }
    print_user(user);
    Ok(())
}

async fn delete_user(target: &Target, id: &DeviceUserId, json: bool) -> anyhow::Result<()> {
    let bar = output::progress(None, "deleting the user");
    let mut terminal = connect(target).await?;
    let deleted = terminal.delete_user(id).await;
    let ended = end(terminal, target, deleted).await;
    bar.finish_and_clear();
    let (user, serial) = ended?;
    if json {
        println!("{}", user_json("deleted", &serial, &user));
        return Ok(());
    }
    let id = plain(user.id.as_str());
    println!("deleted user {id} on {serial}; its list no longer has:");
    print_user(&user);
    Ok(())
}

async fn set_face(
    target: &Target,
    id: &DeviceUserId,
    picture: &[u8],
    json: bool,
) -> anyhow::Result<()> {
    let bar = output::progress(None, "uploading the face");
    let mut terminal = connect(target).await?;
    let done = terminal.set_face(id, picture).await;
    let ended = end(terminal, target, done).await;
    bar.finish_and_clear();
    let (user, serial) = ended?;
    if json {
        println!("{}", user_json("face_set", &serial, &user));
        return Ok(());
    }
    let id = plain(user.id.as_str());
    println!("user {id} on {serial} has a face now; read back:");
    print_user(&user);
    Ok(())
}

async fn delete_face(target: &Target, id: &DeviceUserId, json: bool) -> anyhow::Result<()> {
    let mut terminal = connect(target).await?;
    let done = terminal.delete_face(id).await;
    let (user, serial) = end(terminal, target, done).await?;
    if json {
        println!("{}", user_json("face_deleted", &serial, &user));
        return Ok(());
    }
    let id = plain(user.id.as_str());
    println!("user {id} on {serial} has no face any more; read back:");
    print_user(&user);
    Ok(())
}

fn user_json(effect: &str, serial: &str, user: &UserDetails) -> serde_json::Value {
    serde_json::json!({
        "effect": effect,
        "serial_number": serial,
        "user_id": user.id.as_str(),
        "name": user.name,
        "privilege": user.privilege.map(Privilege::as_str),
        "disabled": user.disabled,
        "cards": user.cards,
        "has_password": user.has_password,
        "has_face": user.has_face,
        "valid_from": user.valid_from.map(wall_text),
        "valid_until": user.valid_until.map(wall_text),
    })
}

fn print_user(user: &UserDetails) {
    let right = user.privilege.map_or("unknown", Privilege::as_str);
    let right = match user.disabled {
        true => format!("{right}, disabled"),
        false => right.to_owned(),
    };
    let password = if user.has_password { "set" } else { "none" };
    let cards = user.cards_text().unwrap_or_else(|| "none".to_owned());
    let mut lines = vec![
        ("name", user.name.clone()),
        ("privilege", right),
        ("card", cards),
        ("password", password.to_owned()),
    ];
    if let Some(has_face) = user.has_face {
        let face = if has_face { "enrolled" } else { "none" };
        lines.push(("face", face.to_owned()));
    }
    let limits = [("from", user.valid_from), ("until", user.valid_until)];
    lines.extend(
        limits
            .into_iter()
            .filter_map(|(name, at)| Some((name, wall_text(at?)))),
    );
    for (name, value) in lines {
        println!("  {name:<11}{}", plain(&value));
    }
}

async fn restart(target: &Target, json: bool) -> anyhow::Result<()> {
    let terminal = connect(target).await?;
    let serial = terminal.identity().serial.clone();
    terminal
        .restart()
        .await
        .map_err(|error| failure(error, target))?;
    if !json {
        println!("{} restarts", plain(&serial));
    }
    let bar = output::progress(None, "waiting until it answers again");
    // A neighbour that gets its address in the meantime is not it.
    let same = Target {
        serial: Some(serial.clone()),
        ..target.clone()
    };
    let began = Instant::now();
    let back = comes_back(&same, began).await;
    bar.finish_and_clear();
    back?;
    let secs = began.elapsed().as_secs();
    match json {
        true => println!(
            "{}",
            serde_json::json!({ "effect": "restarted", "serial_number": serial, "back_after_s": secs })
        ),
        false => println!("{} answers again after {secs} s", plain(&serial)),
    }
    Ok(())
}

async fn comes_back(target: &Target, began: Instant) -> anyhow::Result<()> {
    loop {
        match Terminal::connect_within(target, Deadline::after(LOOK_FOR)).await {
            Ok(terminal) => {
                terminal.close().await;
                return Ok(());
            }
            Err(
                TerminalError::Unreachable { .. }
                | TerminalError::Timeout { .. }
                | TerminalError::Cut { .. },
            ) if began.elapsed() < BACK_WITHIN => tokio::time::sleep(LOOK_EVERY).await,
            // A key is not tried again and again.
            Err(error) => {
                let secs = began.elapsed().as_secs();
                let failure = failure(error, target);
                return Err(Failure {
                    what: format!(
                        "it was told to restart, and {secs} s later {}",
                        failure.what
                    ),
                    ..failure
                }
                .into());
            }
        }
    }
}
