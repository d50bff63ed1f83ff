//! Fills a fresh database with the company: people, shift, days off, leave and devices. Punches come from the terminals.

use std::net::SocketAddr;

use anyhow::Context;
use attendance::{Break, DayPart, DepartmentId, SegmentSpec, Shift, Way};
use jiff::civil::Weekday;
use store::calendar::{LeaveKind, NewLeave};
use store::devices::{DeviceFields, NewDevice};
use store::people::EmployeeFields;
use store::secrets::Secret;
use store::{Author, Store};

use super::company::{self, Company};
use super::terminals::Registration;

const DAY_SHIFT: &str = "Day";

/// Stores the company and registers its terminals at `devices`, in one transaction.
pub async fn seed(
    store: &Store,
    company: &Company,
    devices: &[(Option<SocketAddr>, Registration)],
    poll_interval_secs: u32,
    author: Author,
) -> anyhow::Result<()> {
    let tx = store.begin_write().await?;
    tx.set_setting("company", Some(company::NAME), author)
        .await?;
    let site = tx.add_site(company::SITE, company::ZONE, author).await?;
    let shift = tx.add_shift(DAY_SHIFT, &day_shift()?, author).await?;
    let mut departments: Vec<DepartmentId> = Vec::new();
    for (name, _) in company::DEPARTMENTS {
        departments.push(tx.add_department(site, name, author).await?);
    }
    let mut weekly_offs = Vec::new();
    for weekday in Weekday::Monday.cycle_forward().take(7) {
        weekly_offs.push((
            weekday,
            tx.add_weekly_off(&format!("{weekday:?}"), &[(weekday, None)], author)
                .await?,
        ));
    }
    let (leave_from, leave_to) = company.leave();
    for person in &company.people {
        let weekly_off = weekly_offs
            .iter()
            .find(|(weekday, _)| *weekday == person.weekly_off)
            .map(|(_, id)| *id);
        let fields = EmployeeFields {
            code: person.code.clone(),
            first_name: person.first_name.clone(),
            last_name: person.last_name.clone(),
            username: None,
            email: None,
            device_user_id: (!person.unmapped).then(|| person.device_user.clone()),
            site,
            department: Some(departments[person.department]),
            shift: Some(shift),
            week_pattern: None,
            weekly_off,
            employed_from: None,
            employed_to: None,
        };
        let employee = tx.add_employee(&fields, author).await?;
        if person.on_leave {
            let leave = NewLeave {
                employee,
                kind: LeaveKind::Leave,
                from: leave_from,
                to: leave_to,
                part: DayPart::Full,
                leave_type: None,
                reason: "Annual leave".into(),
            };
            tx.add_leave(&leave, author).await?;
        }
    }
    for (name, (address, registration)) in company::TERMINALS.iter().zip(devices) {
        let device = NewDevice {
            fields: DeviceFields {
                kind: registration.kind.as_str().into(),
                serial_number: registration.serial_number.clone(),
                name: (*name).into(),
                site,
                address: address.map(|address| address.ip().to_string()),
                port: address.map(|address| address.port()),
                transport: None,
                username: registration.username.clone(),
                mode: match address {
                    None => vec![Way::Push],
                    Some(_) if registration.kind.tells_live() => vec![Way::Poll, Way::Live],
                    Some(_) => vec![Way::Poll],
                },
                enabled: true,
                direction: "none".into(),
                poll_interval_secs,
                set_clock: false,
            },
            password: registration.password.as_deref().map(Secret::new),
            comm_key: registration
                .comm_key
                .map(|key| Secret::new(key.to_string())),
            zone: None,
        };
        tx.add_device(&device, author)
            .await
            .with_context(|| format!("registering {name}"))?;
    }
    Ok(tx.commit().await?)
}

/// 09:00 to 18:00 with an hour at noon.
fn day_shift() -> anyhow::Result<Shift> {
    Ok(Shift {
        segments: vec![SegmentSpec {
            start: "09:00".parse()?,
            end: "18:00".parse()?,
        }],
        breaks: vec![Break::Fixed {
            start: "13:00".parse()?,
            end: "14:00".parse()?,
            paid: false,
        }],
        ..Shift::default()
    })
}
