//! The company's terminals: virtual ones of several models, on loopback, spoken to over their real protocols.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use ingest::Clock;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use simulators::{hik, zk, zk_push};
use terminals::DeviceKind;

use super::company::{Company, Planned, TERMINALS};

const COMM_KEY: u32 = 48213;
const HIK_USER: &str = "muster";
/// How people are recognised at ZKTeco terminals.
const FACE: u8 = 15;

/// What the database has to know about a terminal besides its address.
#[derive(Debug)]
pub struct Registration {
    pub kind: DeviceKind,
    pub serial_number: String,
    pub comm_key: Option<u32>,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// A running virtual terminal: one that is read, of either brand, or one that calls.
pub enum Terminal {
    Zk(zk::RunningTerminal),
    Calling(zk_push::RunningTerminal),
    Hik(hik::RunningTerminal),
}

impl Terminal {
    /// `None` for one that calls.
    pub fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Zk(terminal) => Some(terminal.addr()),
            Self::Calling(_) => None,
            Self::Hik(terminal) => Some(terminal.addr()),
        }
    }

    /// Somebody punches at it.
    pub fn punch(&self, planned: &Planned) {
        match self {
            Self::Zk(terminal) => {
                terminal.punch(
                    planned.device_user.as_str(),
                    planned.at,
                    u8::from(planned.leaving),
                    FACE,
                );
            }
            Self::Calling(terminal) => terminal.log_punch(calling_punch(planned)),
            Self::Hik(terminal) => {
                terminal.punch(planned.device_user.as_str(), planned.at);
            }
        }
    }

    pub fn set_online(&self, online: bool) -> std::io::Result<()> {
        match (self, online) {
            (Self::Zk(terminal), true) => terminal.go_online(),
            (Self::Zk(terminal), false) => terminal.go_offline(),
            (Self::Calling(terminal), true) => terminal.go_online(),
            (Self::Calling(terminal), false) => terminal.go_offline(),
            (Self::Hik(terminal), true) => terminal.go_online()?,
            (Self::Hik(terminal), false) => terminal.go_offline(),
        }
        Ok(())
    }
}

/// What surrounds the terminals.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub clock: &'a Clock,
    /// How many times faster than life it runs.
    pub speed: f64,
    pub zone: &'a TimeZone,
    /// Where those that call do.
    pub server: SocketAddr,
    /// Of the Hikvision terminals; made for this run.
    pub password: &'a str,
}

/// Starts all terminals with the people enrolled on them and `history` in their logs.
pub async fn start_all(
    company: &Company,
    history: &[Planned],
    place: Place<'_>,
) -> anyhow::Result<Vec<(Terminal, Registration)>> {
    let Place {
        clock,
        zone,
        password,
        ..
    } = place;
    let mut running = Vec::new();
    for (index, name) in TERMINALS.iter().enumerate() {
        let people: Vec<_> = company
            .people
            .iter()
            .filter(|person| person.terminal == index)
            .collect();
        let punches = history.iter().filter(|planned| planned.terminal == index);
        let names = people.iter().map(|p| {
            (
                p.device_user.clone(),
                format!("{} {}", p.first_name, p.last_name),
            )
        });
        let model = match index {
            1 => Model::Hik(hik::Offer::Md5),
            2 => Model::Hik(hik::Offer::Sha256),
            3 => Model::Calling(zk_push::Profile::V24),
            4 => Model::Calling(zk_push::Profile::Acc),
            _ => Model::Zk(zk::UserLayout::SeventyTwo, zk::LogLayout::Forty, COMM_KEY),
        };
        running.push(match model {
            Model::Zk(users, log, comm_key) => {
                let (clock, zone) = (clock.clone(), zone.clone());
                let terminal = zk::VirtualTerminal::new(&format!("AEH219476{index:04}"))
                    .comm_key(comm_key)
                    .clock(Arc::new(move || wall(&clock, &zone)))
                    .user_layout(users)
                    .users(
                        names
                            .enumerate()
                            .map(|(n, (id, name))| {
                                zk::User::new(n as u16 + 1, id.as_str()).named(&name)
                            })
                            .collect::<Vec<_>>(),
                    )
                    .log_layout(log)
                    .records(punches.map(|p| {
                        zk::Record::new(0, p.device_user.as_str(), p.at, u8::from(p.leaving), FACE)
                    }))
                    .start("127.0.0.1:0")
                    .await
                    .with_context(|| format!("starting the virtual terminal {name}"))?;
                let registration = Registration {
                    kind: DeviceKind::Zk,
                    serial_number: terminal.serial_number().to_owned(),
                    comm_key: (comm_key != 0).then_some(comm_key),
                    username: None,
                    password: None,
                };
                (Terminal::Zk(terminal), registration)
            }
            Model::Calling(profile) => {
                let (clock, zone) = (clock.clone(), zone.clone());
                let serial_number = format!("CQZ719476{index:04}");
                let terminal =
                    zk_push::VirtualTerminal::new(&serial_number, profile)
                        .clock(Arc::new(move || wall(&clock, &zone)))
                        .time_scale(place.speed as u32)
                        .users(names.map(|(id, name)| {
                            zk_push::User::new(id.as_str()).named(name.as_bytes())
                        }))
                        .records(punches.map(calling_punch))
                        .start(place.server);
                let registration = Registration {
                    kind: DeviceKind::Zk,
                    serial_number,
                    comm_key: None,
                    username: None,
                    password: None,
                };
                (Terminal::Calling(terminal), registration)
            }
            Model::Hik(offer) => {
                let (clock, zone) = (clock.clone(), zone.clone());
                let now: hik::Clock = Arc::new(move || clock.now().to_zoned(zone.clone()));
                let login = hik::Login::new(HIK_USER, password);
                let terminal = hik::VirtualTerminal::new(format!("GB963{index:04}"), login, now)
                    .name(*name)
                    .offer(offer)
                    .keeps_alive()
                    .noise(2)
                    .users(names.map(|(id, name)| hik::User::new(id, name)))
                    .events(punches.map(|p| hik::Event::face(p.device_user.as_str(), p.at)))
                    .start("127.0.0.1:0")
                    .await
                    .with_context(|| format!("starting the virtual terminal {name}"))?;
                let registration = Registration {
                    kind: DeviceKind::Hik,
                    serial_number: terminal.serial_number().to_owned(),
                    comm_key: None,
                    username: Some(HIK_USER.into()),
                    password: Some(password.into()),
                };
                (Terminal::Hik(terminal), registration)
            }
        });
    }
    Ok(running)
}

enum Model {
    Zk(zk::UserLayout, zk::LogLayout, u32),
    Calling(zk_push::Profile),
    Hik(hik::Offer),
}

fn calling_punch(planned: &Planned) -> zk_push::Punch {
    let user = planned.device_user.as_str();
    zk_push::Punch::new(user, planned.at, u8::from(planned.leaving), FACE)
}

fn wall(clock: &Clock, zone: &TimeZone) -> DateTime {
    zone.to_datetime(clock.now())
}
