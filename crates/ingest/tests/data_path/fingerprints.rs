//! Fingerprints: kept here and written at another terminal, over real sockets; and nothing at all where nobody says for what.

use attendance::DeviceId;
use ingest::{Done, Effect, Engine, Operation, PollFailure, PollerOptions};
use simulators::zk::{RunningTerminal, Template, User, VirtualTerminal};
use store::identity::NewLink;
use store::testing::count_rows;
use store::{Store, on_both_databases};

use crate::company::{Company, user};
use crate::polling::{builder, edit, locate, poll, with_secrets};

const PURPOSE: &str = "replacing terminals";

/// A company whose fingerprints may be kept for that; its devices are these terminals.
async fn company(
    store: Store,
    purpose: Option<&str>,
    terminals: &[VirtualTerminal],
) -> (Company, Vec<RunningTerminal>, tempfile::TempDir) {
    let (store, key) = with_secrets(store);
    let mut company = Company::new(store, 2, terminals.len(), "2026-03-02 12:00:00").await;
    let options = PollerOptions {
        fingerprint_purpose: purpose.map(str::to_owned),
        ..PollerOptions::default()
    };
    company.engine = Engine::new(company.store.clone(), company.clock.clone(), options);
    let mut running = Vec::new();
    for (n, terminal) in terminals.iter().enumerate() {
        let terminal = terminal.clone().start("127.0.0.1:0").await;
        running.push(terminal.expect("a free port"));
        locate(&company, n, &running[n]).await;
    }
    (company, running, key)
}

/// Three fingers of two people, and one whom nobody knows.
fn enrolled(serial: &str) -> VirtualTerminal {
    builder(serial).templates([
        Template::new(1, 0, template(1)),
        Template::new(2, 3, template(2)),
        Template::new(2, 7, template(3)),
        Template::new(9, 0, template(4)),
    ])
}

fn empty(serial: &str) -> VirtualTerminal {
    builder(serial).users([User::new(1, "7").named("Eve")])
}

fn template(seed: u8) -> Vec<u8> {
    (0..900_u16)
        .map(|at| (at as u8).wrapping_mul(31) ^ seed)
        .collect()
}

async fn operate(
    company: &Company,
    device: usize,
    operation: Operation,
) -> Result<Done, PollFailure> {
    let poller = &company.engine.poller;
    let device = company.devices[device];
    poller.operate(device, operation, None).await.unwrap()
}

fn everybody() -> Operation {
    Operation::BackupFingerprints { user: None }
}

fn only(id: &str) -> Operation {
    let user = Some(user(id));
    Operation::BackupFingerprints { user }
}

fn copy(id: &str, from: DeviceId) -> Operation {
    let user = user(id);
    Operation::CopyFingerprints { user, from }
}

fn kept(users: usize, fingers: usize) -> Result<Done, PollFailure> {
    Ok(Done::FingerprintsKept { users, fingers })
}

#[track_caller]
fn refused(done: Result<Done, PollFailure>, reason: &str, part: &str) {
    let failure = done.expect_err(part);
    assert_eq!(failure.reason, reason, "{failure:?}");
    assert!(failure.message.contains(part), "{failure:?}");
}

/// The newest entry.
async fn audited(company: &Company) -> (String, String, serde_json::Value) {
    let entry = company
        .store
        .audit_entries(None, 1)
        .await
        .unwrap()
        .remove(0);
    let detail = serde_json::from_str(&entry.detail).expect("JSON");
    (entry.action, entry.subject, detail)
}

on_both_databases! {
    async fn fingerprints_are_kept_and_written_at_another_terminal(store: Store) {
        let terminals = [enrolled("SERIAL0"), empty("SERIAL1")];
        let (company, running, _key) = company(store, Some(PURPOSE), &terminals).await;
        poll(&company).await;
        assert_eq!(operate(&company, 0, everybody()).await, kept(2, 3));
        let (action, subject, detail) = audited(&company).await;
        assert_eq!((&*action, &*subject), ("device.fingerprints.backup", "SERIAL0"));
        let expected = serde_json::json!({ "user": null, "users": 2, "fingers": 3, "purpose": PURPOSE, "failed": null });
        assert_eq!(detail, expected);
        let listed = company.store.fingerprint_backups(None).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|row| (&*row.user_id, &*row.name, row.fingers, &*row.algorithm, &*row.purpose)).collect();
        assert_eq!(listed, [("1001", "Ana", 1, "10", PURPOSE), ("1002", "Ben", 2, "10", PURPOSE)]);

        // From the backup: the terminal itself may be gone.
        running[0].go_offline();
        let done = operate(&company, 1, copy("1002", company.devices[0])).await;
        let Ok(Done::FingerprintsCopied { written, fingers: 2 }) = &done else {
            panic!("{done:?}");
        };
        assert_eq!((written.effect, &*written.user.name), (Effect::Created, "Ben"));
        let copied: Vec<_> = running[1].templates().into_iter().map(|template| (template.finger, template.bytes)).collect();
        assert_eq!(copied, [(3, template(2)), (7, template(3))]);
        assert!(!running[1].is_disabled());
        let (action, subject, detail) = audited(&company).await;
        assert_eq!((&*action, &*subject), ("device.fingerprints.copy", "SERIAL1"));
        let expected = serde_json::json!({ "user": "1002", "from": "SERIAL0", "fingers": 2, "purpose": PURPOSE, "failed": null });
        assert_eq!(detail, expected);
        let there = company.store.device_user(company.devices[1], &user("1002")).await.unwrap();
        assert!(there.is_some_and(|there| there.enrolled), "the list was read again");
    }

    async fn a_user_who_is_there_keeps_name_and_card(store: Store) {
        let benedict = User { card: 77, ..User::new(5, "1002").named("Benedict") };
        let other = builder("SERIAL1").users([benedict.clone()]);
        let (company, running, _key) = company(store, Some(PURPOSE), &[enrolled("SERIAL0"), other]).await;
        poll(&company).await;
        assert_eq!(operate(&company, 0, only("1002")).await, kept(1, 2));
        operate(&company, 1, copy("1002", company.devices[0])).await.expect("it is copied");
        assert_eq!(running[1].users().users(), [benedict]);
        assert_eq!(running[1].templates().len(), 2);
    }

    async fn what_cannot_be_copied_is_refused(store: Store) {
        let mut duress = Template::new(1, 0, template(1));
        duress.flag = 3;
        let source = enrolled("SERIAL0").templates([duress, Template::new(2, 3, template(2))]);
        let old = empty("SERIAL1").option("~ZKFPVersion", "9");
        let (company, running, _key) = company(store, Some(PURPOSE), &[source, old, empty("SERIAL2")]).await;
        let from = company.devices[0];
        refused(operate(&company, 1, copy("1002", from)).await, "fingerprints_none", "no backup of the fingerprints of user 1002 at SERIAL0");
        assert_eq!(operate(&company, 0, everybody()).await, kept(2, 2));
        let back = operate(&company, 0, copy("1002", from)).await;
        assert!(back.is_ok(), "a terminal that was reset gets them back: {back:?}");
        refused(operate(&company, 1, copy("1002", from)).await, "write_algorithm", "of algorithm 10 and the terminal has 9");
        refused(operate(&company, 2, copy("1001", from)).await, "write_does_not_fit", "finger 0 raises an alarm");
        for terminal in &running[1..] {
            assert_eq!((terminal.templates().len(), terminal.users().users().len(), terminal.counts().disables), (0, 1, 0));
        }
        let (_, _, detail) = audited(&company).await;
        assert_eq!((&detail["fingers"], &detail["purpose"]), (&serde_json::Value::Null, &PURPOSE.into()));
        assert!(detail["failed"].as_str().is_some_and(|failed| failed.contains("raises an alarm")), "{detail}");

        // Another person under the same number.
        running[2].add_user(User::new(2, "1002"));
        poll(&company).await;
        let tx = company.store.begin_write().await.unwrap();
        let link = NewLink {
            device: company.devices[2],
            user: &user("1002"),
            employee: company.people[0],
            from: None,
            to: None,
            origin: "inbox",
            author: None,
        };
        tx.link_user(&link, company.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        refused(operate(&company, 2, copy("1002", from)).await, "fingerprints_other_person", "user 1002 at SERIAL2 is mapped to somebody else");
        assert!(running[2].templates().is_empty());
    }

    async fn what_is_of_no_use_is_not_kept(store: Store) {
        let silent = enrolled("SERIAL0").without_option("~ZKFPVersion");
        let (company, running, _key) = company(store, Some(PURPOSE), &[silent, enrolled("SERIAL1")]).await;
        refused(operate(&company, 0, everybody()).await, "fingerprints_algorithm", "does not tell its fingerprint algorithm");
        running[1].add_user(User::new(3, "1003"));
        refused(operate(&company, 1, only("1003")).await, "fingerprints_none", "no fingerprint of user 1003");
        refused(operate(&company, 1, only("4")).await, "write_nobody", "no user 4");
        assert_eq!(count_rows(&company.store, "fingerprint_backups").await, 0);
    }

    async fn without_a_purpose_nothing_is_read_or_written(store: Store) {
        let terminals = [enrolled("SERIAL0"), empty("SERIAL1")];
        let (company, running, _key) = company(store, None, &terminals).await;
        for (device, operation) in [(0, everybody()), (0, only("1002")), (1, copy("1002", company.devices[0]))] {
            refused(operate(&company, device, operation).await, "fingerprints_off", "[fingerprints] purpose");
        }
        for terminal in &running {
            assert_eq!(terminal.counts().connections, 0);
        }
        assert_eq!(count_rows(&company.store, "fingerprint_backups").await, 0);
        // And where there is one, a reading does not touch them either.
        poll(&company).await;
        let templates: usize = running[0].templates().iter().map(|template| template.bytes.len()).sum();
        assert!(running[0].counts().bytes_out < templates as u64, "{:?}", running[0].counts());
    }

    async fn other_kinds_are_refused_without_being_asked(store: Store) {
        let (company, running, _key) = company(store, Some(PURPOSE), &[enrolled("SERIAL0")]).await;
        edit(&company, 0, |fields| fields.kind = "hik".to_owned()).await;
        refused(operate(&company, 0, everybody()).await, "write_not_offered", "fingerprints of Hikvision terminals");
        assert_eq!(running[0].counts().connections, 0);
    }
}
