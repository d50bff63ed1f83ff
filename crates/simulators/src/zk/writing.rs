//! What clients change at a terminal: people, templates, log, options, clock, door, voice and display. Each function says
//! whether it was done; what was not done is refused with 2001.

use std::time::Duration;

use tokio::time::Instant;

use super::device::{Device, Keypad, Link};
use super::fault::Fault;
use super::log::Log;
use super::templates::{SavedTogether, Template, Templates};
use super::users::{User, UserId, UserLayout, UserTable};
use super::wire::{self, code, text, u16_at, u32_at};

/// A larger upload is refused: no terminal could keep it.
const LARGEST_UPLOAD: u32 = 4 << 20;

/// What a client sends in parts before the command that uses it.
pub(super) struct Upload {
    announced: usize,
    bytes: Vec<u8>,
}

impl Upload {
    fn is_complete(&self) -> bool {
        self.bytes.len() == self.announced
    }
}

/// Whether [`Device::change`] knows the command.
pub(super) fn changes_something(command: u16) -> bool {
    matches!(
        command,
        code::USER_WRQ
            | code::USERTEMP_WRQ
            | code::OPTIONS_WRQ
            | code::CLEAR_DATA
            | code::CLEAR_ATTLOG
            | code::DELETE_USER
            | code::DELETE_USERTEMP
            | code::CLEAR_ADMIN
            | code::UNLOCK
            | code::WRITE_LCD
            | code::CLEAR_LCD
            | code::TMP_WRITE
            | code::SAVE_USERTEMPS
            | code::DEL_FPTMP
            | code::SET_TIME
            | code::ENABLEDEVICE
            | code::DISABLEDEVICE
            | code::TESTVOICE
    )
}

impl Device {
    /// Does what a command of [`changes_something`] asks; whether it was done.
    pub(super) fn change(&mut self, link: &Link, command: u16, data: &[u8]) -> bool {
        match command {
            code::USER_WRQ => self.write_user(data),
            code::DELETE_USER => data.len() >= 2 && self.remove_user(u16_at(data, 0)),
            code::CLEAR_ADMIN => self.clear_admins(),
            code::USERTEMP_WRQ => {
                Template::decode(data).is_some_and(|template| self.enroll_finger(template))
            }
            code::TMP_WRITE => self.write_uploaded_template(link, data),
            code::SAVE_USERTEMPS => self.save_together(link, data),
            code::DELETE_USERTEMP => {
                data.len() >= 3 && self.templates.remove(u16_at(data, 0), data[2])
            }
            code::DEL_FPTMP => self.delete_template_of(data),
            code::CLEAR_ATTLOG => self.clear_log(),
            code::CLEAR_DATA => self.clear_data(data.first().copied()),
            code::OPTIONS_WRQ => self.write_option(data),
            code::SET_TIME => self.set_clock(data),
            code::ENABLEDEVICE => self.enable(),
            code::DISABLEDEVICE => self.disable(data),
            code::UNLOCK => self.unlock(data),
            code::TESTVOICE => self.speak(data),
            code::WRITE_LCD => self.write_lcd(data),
            code::CLEAR_LCD => self.clear_lcd(),
            _ => false,
        }
    }

    /// Creates or changes. Refused when the size is not this terminal's own, a number is missing, the id belongs to
    /// somebody else, or there is no room.
    fn write_user(&mut self, data: &[u8]) -> bool {
        User::decode(self.config.user_layout, data).is_some_and(|user| self.take_user(user))
    }

    fn take_user(&mut self, mut user: User) -> bool {
        let kept = self.fault(|fault| match fault {
            Fault::CutsNames(bytes) => Some(*bytes),
            _ => None,
        });
        user.name.truncate(kept.unwrap_or(usize::MAX));
        let numbered = user.uid > 0
            && match self.config.user_layout {
                UserLayout::TwentyEight => user.user_id.number() != Some(0),
                UserLayout::SeventyTwo => !user.user_id.is_empty(),
            };
        let known = self.users.by_uid(user.uid).is_some();
        let taken = (self.users.by_id(user.user_id)).is_some_and(|other| other.uid != user.uid);
        let room = self.users.users().len() < self.config.user_capacity as usize;
        let done = numbered && !taken && (known || room);
        if done {
            self.users.put(user);
        }
        done
    }

    /// Removes the person and their templates; whether there was one.
    pub(super) fn remove_user(&mut self, uid: u16) -> bool {
        self.templates.remove_user(uid);
        self.users.remove(uid)
    }

    /// Everybody becomes a plain user; who is disabled stays so.
    fn clear_admins(&mut self) -> bool {
        let people = self.users.users().iter().cloned().map(|mut user| {
            user.privilege &= 1;
            user
        });
        self.users = people.collect();
        true
    }

    /// The user must exist and the place be empty.
    fn enroll_finger(&mut self, template: Template) -> bool {
        let empty = (self.templates.of(template.uid, template.finger)).is_none();
        empty && self.take_template(template)
    }

    fn take_template(&mut self, template: Template) -> bool {
        let known = (self.templates.of(template.uid, template.finger)).is_some();
        let room = self.templates.len() < self.config.finger_capacity as usize;
        let done = template.fits() && self.users.by_uid(template.uid).is_some() && (known || room);
        if done {
            self.templates.put(template);
        }
        done
    }

    /// Announces an upload (1500); one under way is given up.
    pub(super) fn begin_upload(&mut self, link: &mut Link, data: &[u8]) -> bool {
        let announced = if data.len() >= 4 { u32_at(data, 0) } else { 0 };
        let acceptable = (1..=LARGEST_UPLOAD).contains(&announced);
        link.upload = acceptable.then(|| Upload {
            announced: announced as usize,
            bytes: Vec::new(),
        });
        acceptable
    }

    /// One part of the upload (1501). More than was announced spoils it.
    pub(super) fn continue_upload(&mut self, link: &mut Link, part: &[u8]) -> bool {
        let Some(upload) = &mut link.upload else {
            return false;
        };
        let fits = upload.bytes.len() + part.len() <= upload.announced;
        match fits {
            true => upload.bytes.extend_from_slice(part),
            false => link.upload = None,
        }
        fits
    }

    /// A number that depends on every uploaded byte; how real terminals compute theirs is not known.
    pub(super) fn upload_sum(&self, link: &Link) -> Option<u32> {
        let upload = link.upload.as_ref()?;
        Some(upload.bytes.iter().map(|byte| u32::from(*byte)).sum())
    }

    /// The upload becomes the template of a user and finger (87).
    fn write_uploaded_template(&mut self, link: &Link, data: &[u8]) -> bool {
        let Some(upload) = uploaded(link) else {
            return false;
        };
        if data.len() < 6 || usize::from(u16_at(data, 4)) != upload.len() {
            return false;
        }
        self.enroll_finger(Template {
            uid: u16_at(data, 0),
            finger: data[2],
            flag: data[3],
            bytes: upload.to_vec(),
        })
    }

    /// The upload brings users and templates together (110): all or nothing, and what was there before is replaced.
    fn save_together(&mut self, link: &Link, data: &[u8]) -> bool {
        let announces_it = data == [12, 0, 0, 0, 0, 0, 8, 0];
        let Some(saved) = uploaded(link)
            .filter(|_| announces_it)
            .and_then(|upload| SavedTogether::decode(self.config.user_layout, upload))
        else {
            return false;
        };
        let before = (self.users.clone(), self.templates.clone());
        let done = (saved.users.into_iter()).all(|user| self.take_user(user))
            && (saved.templates.into_iter()).all(|template| self.take_template(template));
        if !done {
            (self.users, self.templates) = before;
        }
        done
    }

    /// By the visible id, in 24 bytes (134).
    fn delete_template_of(&mut self, data: &[u8]) -> bool {
        if data.len() < 25 {
            return false;
        }
        let uid = self
            .users
            .by_id(UserId::from_field(&data[..24]))
            .map(|user| user.uid);
        uid.is_some_and(|uid| self.templates.remove(uid, data[24]))
    }

    pub(super) fn clear_log(&mut self) -> bool {
        self.log = Log::new(self.log.layout(), []);
        true
    }

    /// Without a kind it erases everything.
    fn clear_data(&mut self, kind: Option<u8>) -> bool {
        if matches!(kind, None | Some(1)) {
            self.clear_log();
        }
        if matches!(kind, None | Some(2 | 5)) {
            self.templates = Templates::default();
        }
        if matches!(kind, None | Some(5)) {
            self.users = UserTable::default();
        }
        true
    }

    /// Names with a tilde are the vendor's and cannot be written.
    fn write_option(&mut self, data: &[u8]) -> bool {
        match text(data).split_once('=') {
            Some((name, value)) if !name.starts_with('~') => {
                self.options.insert(name.to_owned(), value.to_owned());
                true
            }
            _ => false,
        }
    }

    fn set_clock(&mut self, data: &[u8]) -> bool {
        let packed = (data.len() >= 4).then(|| u32_at(data, 0));
        let clock = packed.and_then(wire::unpack_clock);
        if let Some(clock) = clock {
            self.clock_shift = clock.duration_since((self.config.clock)());
        }
        clock.is_some()
    }

    fn enable(&mut self) -> bool {
        self.keypad = Keypad::Enabled;
        true
    }

    /// For so many seconds, or without a number until it is enabled.
    fn disable(&mut self, data: &[u8]) -> bool {
        self.counts.disables += 1;
        let seconds = if data.len() >= 4 { u32_at(data, 0) } else { 0 };
        let time = Duration::from_secs(u64::from(seconds));
        self.keypad = match seconds {
            0 => Keypad::Disabled,
            _ => Keypad::DisabledUntil(Instant::now() + time),
        };
        true
    }

    fn unlock(&mut self, data: &[u8]) -> bool {
        let complete = data.len() >= 4;
        if complete {
            self.unlocks.push(u32_at(data, 0));
        }
        complete
    }

    /// Clients send the number of the announcement in two or four bytes.
    fn speak(&mut self, data: &[u8]) -> bool {
        let announcement = match data.len() {
            0 | 1 => return false,
            2 | 3 => u32::from(u16_at(data, 0)),
            _ => u32_at(data, 0),
        };
        self.announcements.push(announcement);
        true
    }

    fn write_lcd(&mut self, data: &[u8]) -> bool {
        let complete = data.len() >= 3;
        if complete {
            self.lcd.insert(u16_at(data, 0), text(&data[3..]));
        }
        complete
    }

    fn clear_lcd(&mut self) -> bool {
        self.lcd.clear();
        true
    }
}

fn uploaded(link: &Link) -> Option<&[u8]> {
    let upload = link.upload.as_ref().filter(|upload| upload.is_complete())?;
    Some(&upload.bytes)
}
