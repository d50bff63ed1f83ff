//! What a terminal tells without changing anything that lasts: options, counters, clock, and the way to the bulk reads.

use jiff::SignedDuration;

use super::device::{Device, Link};
use super::fault::Fault;
use super::reply::{Ending, Reply};
use super::users::UserId;
use super::wire::{self, Request, code, text};

impl Device {
    /// Answers what changes nothing that lasts.
    pub(super) fn tell(&mut self, link: &mut Link, request: &Request, reply: &mut Reply) {
        let data = request.data.as_slice();
        match request.command {
            code::OPTIONS_RRQ => self.read_option(data, reply),
            code::GET_VERSION => {
                let text = [self.config.firmware.as_bytes(), b"\0"].concat();
                reply.send(code::ACK_OK, &text);
            }
            code::GET_FREE_SIZES => self.counters(reply),
            code::GET_TIME => {
                let now = wire::pack_clock(self.now());
                reply.send(code::ACK_OK, &now.to_le_bytes());
            }
            code::PREPARE_BUFFER => self.prepare_buffer(link, data, reply),
            code::READ_BUFFER => self.read_buffer(link, data, reply),
            code::ATTLOG_RRQ | code::USERTEMP_RRQ | code::GET_USERTEMP => {
                self.read_directly(link, request, reply);
            }
            code::PREPARE_DATA => {
                let done = self.begin_upload(link, data);
                reply.acknowledge(done);
            }
            code::DATA => {
                let done = self.continue_upload(link, data);
                reply.acknowledge(done);
            }
            code::CHECKSUM_BUFFER => match self.upload_sum(link) {
                Some(sum) => reply.send(code::ACK_OK, &sum.to_le_bytes()),
                None => reply.acknowledge(false),
            },
            code::FREE_DATA => {
                (link.prepared, link.upload) = (None, None);
                reply.send(code::ACK_OK, &[]);
            }
            // The state travels in the session field; 0 is "waiting".
            code::STATE_RRQ => reply.send_as(code::ACK_OK, 0, &[&[]]),
            code::GET_PINWIDTH => {
                let width = self.options.get("~PIN2Width");
                let width: u8 = width.and_then(|text| text.parse().ok()).unwrap_or(9);
                reply.send(code::ACK_OK, &[width]);
            }
            code::DOORSTATE_RRQ => reply.send(code::ACK_OK, &[0]),
            code::RESTART => {
                if self.config.acknowledges_restart {
                    reply.send(code::ACK_OK, &[]);
                }
                reply.ending = Ending::Restart;
            }
            code::REG_EVENT => {
                let done = self.register(link, data);
                reply.acknowledge(done);
            }
            code::ENABLE_CLOCK
            | code::STARTVERIFY
            | code::CANCELCAPTURE
            | code::POWEROFF
            | code::SLEEP
            | code::RESUME
            | code::REFRESHDATA
            | code::REFRESHOPTION
            | code::CHANGE_SPEED => reply.send(code::ACK_OK, &[]),
            _ => reply.send(code::ACK_UNKNOWN, &[]),
        }
    }

    /// The name may come without its NUL, as some clients send it.
    fn read_option(&self, data: &[u8], reply: &mut Reply) {
        let name = text(data);
        let lie = self.fault(|fault| match fault {
            Fault::WrongSerial(serial) if name == "~SerialNumber" => Some(serial),
            _ => None,
        });
        match lie.or_else(|| self.options.get(&name)) {
            Some(value) => {
                let end = if self.config.options_without_nul {
                    ""
                } else {
                    "\0"
                };
                reply.send(code::ACK_OK, format!("{name}={value}{end}").as_bytes());
            }
            None => reply.send(code::ACK_ERROR, &[]),
        }
    }

    fn counters(&mut self, reply: &mut Reply) {
        let config = &self.config;
        let users = self.users.users();
        let admins = users.iter().filter(|user| user.privilege & 0x0e == 14);
        let passwords = users.iter().filter(|user| !user.password.is_empty());
        let (user_count, records) = (users.len() as u32, self.log.len() as u32);
        let fingers = self.templates.len() as u32;
        let mut words = [0u32; 28];
        words[4] = user_count;
        words[6] = fingers;
        words[8] = records;
        words[12] = admins.count() as u32;
        words[13] = passwords.count() as u32;
        words[14] = config.finger_capacity;
        words[15] = config.user_capacity;
        words[16] = config.record_capacity;
        words[17] = config.finger_capacity.saturating_sub(fingers);
        words[18] = config.user_capacity.saturating_sub(user_count);
        words[19] = config.record_capacity.saturating_sub(records);
        let mut growth = 0;
        for fault in &self.faults {
            match fault {
                Fault::Counters(lies) => {
                    for (word, value) in lies {
                        if let Some(place) = words.get_mut(*word) {
                            *place = *value;
                        }
                    }
                }
                Fault::Growing(punches) => growth = *punches,
                _ => {}
            }
        }
        let count = config.counter_words.min(words.len());
        let bytes: Vec<u8> = words[..count]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        reply.send(code::ACK_OK, &bytes);
        self.grow(growth);
    }

    /// The person of the last record punches again, one second apart.
    pub(super) fn grow(&mut self, punches: usize) {
        let somebody = self.log.last().map(|record| record.user_id);
        let somebody = somebody.or_else(|| self.users.users().first().map(|user| user.user_id));
        let id = somebody.unwrap_or_else(|| UserId::new("1"));
        for n in 0..punches {
            let clock = self
                .now()
                .saturating_add(SignedDuration::from_secs(n as i64));
            self.punch(id, clock, 0, 1);
        }
    }
}
