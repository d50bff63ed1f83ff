//! Fingerprints on the command line: backed up, listed, copied and forgotten; off until muster.toml says for what.

use super::*;

const ON: &str = "\n[fingerprints]\npurpose = \"replacing terminals\"\n";

/// What must be seen nowhere: the template, as text and as people print bytes.
const TEMPLATE: &[u8] = b"ridge-ending-bifurcation-ridge-ending";

fn template(uid: u16, finger: u8) -> zk::Template {
    zk::Template::new(uid, finger, TEMPLATE)
}

async fn terminal(serial: &str, algorithm: &str) -> zk::RunningTerminal {
    let terminal = zk::VirtualTerminal::new(serial).option("~ZKFPVersion", algorithm);
    let terminal = terminal.clock(right_clock()).users([
        zk::User::new(1, "1001").named("Ana"),
        zk::User::new(2, "1002").named("Ben"),
    ]);
    terminal.start("127.0.0.1:0").await.expect("a free port")
}

async fn enrolled(serial: &str) -> zk::RunningTerminal {
    let terminal = terminal(serial, "10").await;
    for (uid, finger) in [(1, 0), (2, 3), (2, 7)] {
        terminal.add_template(template(uid, finger));
    }
    terminal
}

impl Office {
    /// Says for what fingerprints are kept.
    fn state_purpose(&self) {
        let file = self.folder.path().join("muster.toml");
        let text = std::fs::read_to_string(&file).expect("a file");
        std::fs::write(file, text + ON).expect("it can be written");
    }

    async fn fingers(&self, args: &[&str]) -> Said {
        let said = self
            .run(&[&["device", "fingerprints"], args].concat())
            .await;
        said.shows_no_template();
        said
    }
}

impl Said {
    #[track_caller]
    fn shows_no_template(&self) {
        for said in [&self.out, &self.err] {
            for part in ["ridge", "cmlkZ2", "726964", "114, 105"] {
                assert!(!said.contains(part), "{self:?}");
            }
        }
    }
}

#[tokio::test]
async fn fingerprints_are_backed_up_copied_and_forgotten() {
    let office = Office::open().await;
    office.state_purpose();
    let (source, target) = (enrolled("SOURCE").await, terminal("TARGET", "10").await);
    office.add_zk(&source, "SOURCE").await;
    office.add_zk(&target, "TARGET").await;
    office.poll().await;

    let said = office.fingers(&["backup", "SOURCE"]).await.done();
    assert_eq!(said.out, "backed up 3 fingers of 2 users on SOURCE\n");
    let said = office.fingers(&["list"]).await.done();
    for part in ["SOURCE  1002", "Ben", "replacing terminals"] {
        assert!(said.out.contains(part), "{part:?} is not in {said:?}");
    }
    let said = office.fingers(&["list", "SOURCE", "--json"]).await.done();
    let listed: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&listed[1]["user_id"], &listed[1]["fingers"]),
        (&"1002".into(), &2.into())
    );

    // A removed terminal is what its replacement gets the fingerprints of.
    source.go_offline();
    office.run(&["device", "remove", "SOURCE"]).await.done();
    let copy = ["copy", "SOURCE", "--user", "1002", "--to", "TARGET"];
    let said = office.fingers(&copy).await.done();
    let expected = "copied 2 fingers of user 1002 \"Ben\" from SOURCE to TARGET, and read back\n";
    assert_eq!(said.out, expected);
    assert_eq!(target.templates(), [template(2, 3), template(2, 7)]);

    let said = office
        .fingers(&["forget", "SOURCE", "--user", "1002"])
        .await
        .done();
    assert!(
        said.out.contains("forgot the fingerprints of user 1002"),
        "{said:?}"
    );
    assert_eq!(office.rows("fingerprint_backups").await, 1);
    office
        .fingers(&copy)
        .await
        .failed(1, &["no backup of the fingerprints of user 1002", "next: "]);
    let said = office.fingers(&["forget", "SOURCE"]).await.done();
    assert!(said.out.contains("of 1 user of SOURCE"), "{said:?}");
    assert_eq!(office.rows("fingerprint_backups").await, 0);
    assert_eq!(target.templates().len(), 2, "nothing changes at a terminal");
}

#[tokio::test]
async fn fingerprints_of_another_algorithm_are_refused() {
    let office = Office::open().await;
    office.state_purpose();
    let (source, target) = (enrolled("SOURCE").await, terminal("TARGET", "9").await);
    office.add_zk(&source, "SOURCE").await;
    office.add_zk(&target, "TARGET").await;
    office
        .fingers(&["backup", "SOURCE", "--user", "1002"])
        .await
        .done();
    let said = office
        .fingers(&["copy", "SOURCE", "--user", "1002", "--to", "TARGET"])
        .await;
    said.failed(
        1,
        &[
            "of algorithm 10 and the terminal has 9",
            "Enrol the finger at this terminal",
        ],
    );
    let said = office.fingers(&["backup", "SOURCE", "--user", "7"]).await;
    said.failed(1, &["the terminal has no user 7"]);
    assert!(target.templates().is_empty());
}

#[tokio::test]
async fn without_a_purpose_nothing_of_fingerprints_is_done() {
    let office = Office::open().await;
    let source = enrolled("SOURCE").await;
    office.add_zk(&source, "SOURCE").await;
    let off = [
        "nothing of fingerprints is read",
        "[fingerprints]",
        "purpose = ",
    ];
    office.fingers(&["backup", "SOURCE"]).await.failed(1, &off);
    office
        .fingers(&["copy", "SOURCE", "--user", "1002", "--to", "SOURCE"])
        .await
        .failed(1, &off);
    office.fingers(&["list"]).await.done().failed(0, &off);
    let url = format!("zk://{}", source.addr());
    let said = office
        .run(&["terminal", "fingerprints", &url, "--id", "1002"])
        .await;
    said.failed(1, &off);
    assert_eq!(source.counts().connections, 0);
}

#[tokio::test]
async fn the_fingers_of_one_terminal_are_shown_and_deleted() {
    let office = Office::open().await;
    office.state_purpose();
    let source = enrolled("SOURCE").await;
    let url = format!("zk://{}", source.addr());
    let show = ["terminal", "fingerprints", &url, "--id", "1002"];
    let said = office.run(&show).await.done();
    said.shows_no_template();
    let expected =
        "SOURCE knows 2 fingers of user 1002, algorithm 10\n  finger 3  valid\n  finger 7  valid\n";
    assert_eq!(said.out, expected);
    let said = office.run(&[&show[..], &["--json"]].concat()).await.done();
    said.shows_no_template();
    let shown: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(
        shown["fingers"][1],
        serde_json::json!({ "finger": 7, "kind": "valid" })
    );

    let delete = ["terminal", "delete-fingerprints", &url, "--id", "1002"];
    office.run(&delete).await.failed(2, &["--yes"]);
    let one = office
        .run(&[&delete[..], &["--finger", "3", "--yes"]].concat())
        .await
        .done();
    assert!(
        one.out.contains("deleted finger 3 of user 1002 on SOURCE"),
        "{one:?}"
    );
    assert_eq!(source.templates(), [template(1, 0), template(2, 7)]);
    let gone = office
        .run(&[&delete[..], &["--finger", "3", "--yes"]].concat())
        .await;
    gone.failed(1, &["no finger 3 of user 1002"]);
    office.run(&[&delete[..], &["--yes"]].concat()).await.done();
    assert_eq!(source.templates(), [template(1, 0)]);
}
