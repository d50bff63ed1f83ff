//! The commands of the attendance family.

use super::*;

/// What the terminal reports of these commands.
async fn reports(
    terminal: VirtualTerminal,
    commands: &'static str,
) -> (Office, RunningTerminal, String) {
    let office = with_commands(commands).await;
    let terminal = terminal.start(office.addr);
    let report = office.until(1, "POST /iclock/devicecmd").await;
    (office, terminal, report.text())
}

async fn check(profile: Profile, command: &'static str, expected: &str) -> RunningTerminal {
    let ana = User::new("1").named("Ana").with_card(5);
    let virtual_terminal = terminal(profile).users([ana]).records(punches(4));
    let (_office, terminal, report) = reports(virtual_terminal, command).await;
    assert_eq!(report, format!("{expected}\n"), "{command}");
    terminal
}

#[tokio::test]
async fn each_command_has_its_result() {
    use Profile::{A0, B, V24};
    let whole_day =
        "C:1:VERIFY SUM ATTLOG StartTime=2026-11-02 00:00:00\tEndTime=2026-11-02 23:59:59";
    let sum = "ID=1&Return=0&CMD=VERIFY SUM&StartTime=2026-11-02 00:00:00&EndTime=2026-11-02 23:59:59&AttlogSum=4";
    check(V24, whole_day, sum).await;
    let nothing =
        "C:1:VERIFY SUM ATTLOG StartTime=2026-11-02T08:31:00\tEndTime=2026-11-02T08:31:00";
    let sum = "ID=1&Return=0&CMD=VERIFY SUM&StartTime=2026-11-02T08:31:00&EndTime=2026-11-02T08:31:00&AttlogSum=1";
    check(B, nothing, sum).await;
    check(
        V24,
        "C:1:VERIFY SUM ATTLOG",
        "ID=1&Return=-1&CMD=VERIFY SUM",
    )
    .await;
    check(V24, "C:a1:CHECK\r\n", "ID=a1&Return=0&CMD=CHECK").await;
    check(V24, "C:1:LOG", "ID=1&Return=0&CMD=LOG").await;
    check(
        V24,
        "C:1:RELOAD OPTIONS",
        "ID=1&Return=0&CMD=RELOAD OPTIONS",
    )
    .await;
    check(
        V24,
        "C:1:SET OPTION VOLUME",
        "ID=1&Return=-1&CMD=SET OPTION",
    )
    .await;
    check(
        V24,
        "C:1:DATA QUERY ATTLOG StartTime=soon",
        "ID=1&Return=-1&CMD=DATA",
    )
    .await;
    check(V24, "C:1:USER ADD PIN=1", "ID=1&Return=-1002&CMD=USER").await;
    check(
        V24,
        "C:1:DATA DEL USERINFO PIN=1",
        "ID=1&Return=-1002&CMD=DATA",
    )
    .await;
    check(V24, "C:1:GET TIME", "ID=1&Return=-1002&CMD=GET TIME").await;
    check(V24, "C:1:Shell date", "ID=1&Return=-1002&CMD=Shell").await;
    check(
        V24,
        "C:1:DATA UPDATE USERINFO Name=x",
        "ID=1&Return=-1&CMD=DATA",
    )
    .await;
    check(
        V24,
        "C:1:DATA DELETE USERINFO PIN=9",
        "ID=1&Return=-10&CMD=DATA",
    )
    .await;
    check(V24, "C:1:DATA DELETE USERINFO ", "ID=1&Return=-1&CMD=DATA").await;

    let terminal = check(
        V24,
        "C:1:SET OPTION VOLUME=70",
        "ID=1&Return=0&CMD=SET OPTION",
    )
    .await;
    assert_eq!(terminal.option("VOLUME").as_deref(), Some("70"));
    let terminal = check(V24, "C:1:AC_UNLOCK", "ID=1&Return=0&CMD=AC_UNLOCK").await;
    assert_eq!(terminal.unlocks(), 1);
    let terminal = check(V24, "C:1:CLEAR LOG", "ID=1&Return=0&CMD=CLEAR_LOG").await;
    assert_eq!(
        (terminal.log().len(), terminal.acknowledged().len()),
        (0, 4)
    );
    let terminal = check(
        V24,
        "C:1:DATA DELETE USERINFO PIN=1",
        "ID=1&Return=0&CMD=DATA",
    )
    .await;
    assert!(terminal.users().is_empty());
    let terminal = check(B, "C:1:DATA DELETE USERINFO ", "ID=1&Return=0&CMD=DATA").await;
    assert!(terminal.users().is_empty());
    let terminal = check(
        A0,
        "C:1:DATA USER PIN=2\tName=Ben",
        "ID=1&Return=0&CMD=DATA",
    )
    .await;
    assert_eq!(terminal.users()[1].name, b"Ben");
}

#[tokio::test]
async fn what_a_write_leaves_out_stays() {
    let command = "C:1:DATA UPDATE USERINFO PIN=1\tName=Anna\tPri=14";
    let terminal = check(Profile::V24, command, "ID=1&Return=0&CMD=DATA").await;
    assert_eq!(
        terminal.users(),
        [User::new("1").named("Anna").with_card(5).admin()]
    );
    let command = "C:1:DATA UPDATE USERINFO PIN=2\tPrivilege=14\tCard=7\tPasswd=9\tGrp=2";
    let terminal = check(Profile::V24, command, "ID=1&Return=0&CMD=DATA").await;
    let mut ben = User::new("2").with_card(7).with_password("9").admin();
    ben.group = 2;
    assert_eq!(terminal.users()[1], ben);
}

#[tokio::test]
async fn people_are_uploaded_before_the_result() {
    for (profile, command, table, people) in [
        (
            Profile::V24,
            "C:1:DATA QUERY USERINFO",
            "table=USERINFO&Stamp=0",
            2,
        ),
        (
            Profile::V22,
            "C:1:DATA QUERY USERINFO PIN=2",
            "table=OPERLOG&Stamp=0",
            1,
        ),
        (Profile::A0, "C:1:DATA QUERY USERINFO", "OpStamp=0", 2),
    ] {
        let virtual_terminal = terminal(profile).users([User::new("1"), User::new("2")]);
        let (office, _terminal, report) = reports(virtual_terminal, command).await;
        assert_eq!(report, "ID=1&Return=0&CMD=DATA\n");
        let posts = office.of("POST");
        assert!(posts[0].line().ends_with(table), "{}", posts[0].line());
        assert_eq!(posts[0].lines(), people);
        assert!(posts[0].text().contains("USER PIN=2\t"));
    }
}

#[tokio::test]
async fn a_query_leaves_the_marks_of_the_log_alone() {
    let office = Office::open(move |request| match request.line() {
        line if line.contains("/getrequest?SN=BOCK200961014&INFO") => {
            ok("C:1:DATA QUERY ATTLOG StartTime=2026-01-01 00:00:00\tEndTime=2026-12-31 00:00:00")
        }
        line if line.contains("options=all") => ok("GET OPTION FROM: X\nTransFlag=0100000000\n"),
        _ => usual(request),
    })
    .await;
    let terminal = terminal(Profile::V24)
        .batch(2)
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_reported(1)).await;
    let stamps: Vec<_> = (office.of("POST /iclock/cdata").iter())
        .map(|request| request.query("Stamp").map(str::to_owned))
        .collect();
    assert_eq!(stamps, [Some("0".to_owned()), Some("0".to_owned())]);
    // The server has them, and was told nothing by the terminal of its own accord.
    assert_eq!(terminal.acknowledged().len(), 3);
}

#[tokio::test]
async fn a_query_that_is_not_taken_has_failed() {
    let office = Office::open(move |request| match request.line() {
        line if line.contains("&INFO") => ok("C:1:DATA QUERY USERINFO"),
        line if line.contains("table=USERINFO") => Reply::Says(500, String::new()),
        _ => usual(request),
    })
    .await;
    let terminal = terminal(Profile::V24)
        .users([User::new("1")])
        .start(office.addr);
    within(terminal.until_reported(1)).await;
    assert_eq!(terminal.executed()[0].code, -1003);
    let uploads = office.of("POST /iclock/cdata");
    assert_eq!(uploads.len(), 3);
}

#[tokio::test]
async fn nothing_behind_a_restart_is_carried_out() {
    let commands = "C:1:LOG\nC:2:REBOOT\nC:3:AC_UNLOCK\n";
    let (office, terminal, report) = reports(terminal(Profile::V24), commands).await;
    assert_eq!(report, "ID=1&Return=0&CMD=LOG\nID=2&Return=0&CMD=REBOOT\n");
    within(terminal.until_counts(|counts| counts.handshakes == 2)).await;
    let poll = office.until(2, "GET /iclock/getrequest").await;
    assert!(poll.line().contains("&INFO="), "{}", poll.line());
    assert_eq!(terminal.unlocks(), 0);
}

#[tokio::test]
async fn results_wait_for_a_server_that_takes_them() {
    let mut refusals = 2;
    let office = Office::open(move |request| match request.line() {
        line if line.contains("&INFO") => ok("C:1:LOG\nC:2:CHECK"),
        line if line.contains("/devicecmd") && refusals > 0 => {
            refusals -= 1;
            Reply::Says(503, String::new())
        }
        _ => usual(request),
    })
    .await;
    let terminal = terminal(Profile::V24).start(office.addr);
    within(terminal.until_reported(2)).await;
    let bodies: Vec<_> = (office.of("POST /iclock/devicecmd").iter())
        .map(Received::text)
        .collect();
    let expected = "ID=1&Return=0&CMD=LOG\nID=2&Return=0&CMD=CHECK\n";
    assert_eq!(bodies, [expected; 3]);
    assert_eq!(terminal.executed().len(), 2);
}

#[tokio::test]
async fn terminals_that_are_odd_about_commands() {
    let commands = "C:1:AC_UNLOCK\nC:2:AC_UNLOCK\n";
    let one = terminal(Profile::V24).fault(Fault::OneCommand);
    let (_office, terminal_of_one, report) = reports(one, commands).await;
    assert_eq!(report, "ID=1&Return=0&CMD=AC_UNLOCK\n");
    assert_eq!(terminal_of_one.unlocks(), 1);

    let renamed = terminal(Profile::V24).fault(Fault::UnknownResults);
    let (_office, _terminal, report) = reports(renamed, "C:1:AC_UNLOCK").await;
    assert_eq!(report, "ID=91&Return=0&CMD=AC_UNLOCK\n");

    let refusing = terminal(Profile::V24).fault("command-code=AC_:-1004".parse().unwrap());
    let (_office, refused, report) = reports(refusing, "C:1:AC_UNLOCK").await;
    assert_eq!(report, "ID=1&Return=-1004&CMD=AC_UNLOCK\n");
    assert_eq!(refused.unlocks(), 0);

    let office = with_commands(commands).await;
    let mute = terminal(Profile::V24)
        .fault(Fault::NoResults)
        .start(office.addr);
    within(mute.until_polls(3)).await;
    assert_eq!((mute.unlocks(), office.of("POST").len()), (2, 0));
    assert!(mute.executed().iter().all(|command| !command.reported));
}

#[tokio::test]
async fn a_list_that_changed_is_told_with_the_next_poll() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V24).start(office.addr);
    within(terminal.until_polls(2)).await;
    terminal.add_user(User::new("1"));
    within(async {
        loop {
            let next = office.seen.changed.notified();
            let polls = office.of("GET /iclock/getrequest");
            if polls
                .iter()
                .any(|poll| poll.line().contains("-20180102,1,0,0,"))
            {
                return;
            }
            next.await;
        }
    })
    .await;
    let told = office.of("GET /iclock/getrequest?SN=BOCK200961014&INFO");
    assert_eq!(told.len(), 2);
}
