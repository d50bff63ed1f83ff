//! What is uploaded when, and what counts as delivered.

use super::*;

/// A server that answers the first uploads of punches so, and is usual then.
async fn answering(answers: &'static [(u16, &'static str)]) -> Office {
    let mut answers = answers.iter();
    Office::open(move |request| match request.query("table") {
        Some("ATTLOG") => match answers.next() {
            Some((status, text)) => Reply::Says(*status, (*text).to_owned()),
            None => usual(request),
        },
        _ => usual(request),
    })
    .await
}

#[tokio::test]
async fn each_generation_writes_a_punch_its_own_way() {
    let key = "&ComKey=88888888";
    for (profile, query, line) in [
        (Profile::A0, "&Stamp=864297000", "\t0\t1"),
        (Profile::V22, "&table=ATTLOG&Stamp=9999", "\t0\t1\t0\t0\t0"),
        (
            Profile::V24,
            "&table=ATTLOG&Stamp=9999",
            "\t0\t1\t0\t0\t0\t0\t0\t0",
        ),
        (
            Profile::V242,
            "&table=ATTLOG&Stamp=9999",
            "\t0\t1\t0\t0\t0\t0\t0\t0\t+19800\t",
        ),
        (
            Profile::B,
            &format!("&table=ATTLOG&Stamp=2026-11-22T10:30:00{key}"),
            "\t0\t1\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0",
        ),
    ] {
        let office = Office::open(usual).await;
        let terminal = terminal(profile).start(office.addr);
        terminal.punch("007", 0, 1);
        let request = office.until(1, "POST").await;
        let expected = format!("POST /iclock/cdata?SN=BOCK200961014{query}");
        assert_eq!(request.line(), expected, "{profile}");
        let expected = format!("007\t2026-11-22 10:30:00{line}\n");
        assert_eq!(request.text(), expected, "{profile}");
    }
}

#[tokio::test]
async fn a_terminal_of_2009_writes_packed_times_and_its_own_stamp() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::A0).start(office.addr);
    terminal.go_offline();
    terminal.operation(4, "14", ["0", "0", "0", "0"]);
    terminal.put_user(User::new("7").named("Ana"));
    terminal.go_online();
    let request = office.until(1, "POST").await;
    assert_eq!(
        request.line(),
        "POST /iclock/cdata?SN=BOCK200961014&OpStamp=864297000"
    );
    assert_eq!(
        request.text(),
        "OPLOG 4\t14\t864297000\t0\t0\t0\t0\nUSER PIN=7\tName=Ana\tPri=0\tPasswd=\tCard=[0000000000]\tGrp=1\tTZ=0000000000000000\n"
    );
}

#[tokio::test]
async fn old_firmware_leaves_blanks_in_the_request_line() {
    for (profile, blank) in [
        (Profile::A0, " "),
        (Profile::V22, " "),
        (Profile::V24, "%20"),
    ] {
        let office = Office::open(usual).await;
        let _terminal = terminal(profile).start(office.addr);
        let poll = office.until(1, "GET /iclock/getrequest").await;
        let expected = format!("&INFO=Ver{blank}8.0.4.1-20180102,0,0,0,");
        assert!(
            poll.line().contains(&expected),
            "{profile}: {}",
            poll.line()
        );
    }
}

#[tokio::test]
async fn the_path_an_installer_typed_stands_before_every_request() {
    let office = Office::open(usual).await;
    let server: Server = format!("http://{}/site/secret/", office.addr)
        .parse()
        .unwrap();
    let terminal = terminal(Profile::V24).start(server);
    within(terminal.until_polls(1)).await;
    let strays = office.received().into_iter();
    let strays: Vec<_> = strays
        .filter(|request| !request.line().contains(" /site/secret/iclock/"))
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[tokio::test]
async fn the_key_is_told_where_the_firmware_has_a_place_for_it() {
    for (profile, expected) in [
        (Profile::V24, "&pushcommkey=s3cret&"),
        (Profile::B, "&ComKey=s3cret"),
    ] {
        let office = Office::open(usual).await;
        let _terminal = terminal(profile).comm_key("s3cret").start(office.addr);
        let hello = office.until(1, "GET").await;
        assert!(hello.line().contains(expected), "{}", hello.line());
        let poll = office.until(1, "GET /iclock/getrequest").await;
        assert_eq!(poll.line().contains("s3cret"), profile == Profile::B);
    }
}

#[tokio::test]
async fn what_is_refused_is_sent_again_and_nothing_else_meanwhile() {
    let office = answering(&[(503, "not approved"), (500, ""), (302, "")]).await;
    let terminal = terminal(Profile::V24)
        .batch(2)
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    let uploads = office.attlogs();
    assert_eq!(uploads.len(), 5);
    assert!(
        uploads[..4].iter().all(|body| *body == uploads[0]),
        "{uploads:?}"
    );
    assert_eq!(terminal.acknowledged(), punches(3));
    assert_eq!(terminal.counts().refused, 3);
    let sent: Vec<_> = terminal.log().iter().map(|logged| logged.sent).collect();
    assert_eq!(sent, [4, 4, 1]);
}

#[tokio::test]
async fn polls_go_on_while_uploads_are_refused() {
    let office = Office::open(|request: &Received| match request.is("POST") {
        true => Reply::Says(503, "ERROR: device not approved".to_owned()),
        false => usual(request),
    })
    .await;
    let terminal = terminal(Profile::V24)
        .error_delay(Duration::from_secs(3600))
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_polls(3)).await;
    assert_eq!(office.attlogs().len(), 1);
    assert!(terminal.acknowledged().is_empty());
}

#[tokio::test]
async fn strict_firmware_wants_its_lines_counted() {
    for (answer, sendings) in [
        ("OK", 2),
        ("OK: 2", 2),
        ("ok: 3", 2),
        ("<html>OK: 3</html>", 2),
        ("OK:3", 1),
        ("OK: 3\r\n", 1),
    ] {
        let mut answers = Some(answer);
        let office = Office::open(move |request| match request.query("table") {
            Some("ATTLOG") => answers.take().map_or_else(|| usual(request), ok),
            _ => usual(request),
        })
        .await;
        let terminal = terminal(Profile::V24)
            .records(punches(3))
            .start(office.addr);
        within(terminal.until_acknowledged(3)).await;
        assert_eq!(office.attlogs().len(), sendings, "{answer:?}");
        assert_eq!(terminal.counts().bad_acks, sendings as u64 - 1);
    }
}

#[tokio::test]
async fn other_firmware_takes_any_success() {
    let office = answering(&[(200, "OK")]).await;
    let terminal = terminal(Profile::V22)
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    assert_eq!(office.attlogs().len(), 1);
}

#[tokio::test]
async fn a_long_log_goes_in_batches() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V24)
        .batch(100)
        .records(punches(250))
        .start(office.addr);
    within(terminal.until_acknowledged(250)).await;
    let lines: Vec<_> = office
        .attlogs()
        .iter()
        .map(|body| body.lines().count())
        .collect();
    assert_eq!(lines, [100, 100, 50]);
    assert_eq!(terminal.counts().lines_acknowledged, 250);
    assert!(terminal.log().iter().all(|logged| logged.acknowledged));
}

#[tokio::test]
async fn without_settings_it_polls_and_uploads_nothing_until_it_restarts() {
    let mut hellos = 0;
    let office = Office::open(move |request| {
        hellos += usize::from(request.line().contains("options=all"));
        match request.line().contains("options=all") && hellos == 1 {
            true => ok("OK"),
            false => usual(request),
        }
    })
    .await;
    let terminal = terminal(Profile::V24)
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_polls(3)).await;
    assert_eq!(
        (terminal.counts().uploads, terminal.counts().handshakes),
        (0, 1)
    );
    terminal.reboot();
    within(terminal.until_acknowledged(3)).await;
    assert_eq!(terminal.counts().handshakes, 2);
}

#[tokio::test]
async fn a_refused_first_request_is_repeated() {
    let mut refusals = 3;
    let office = Office::open(move |request| {
        refusals -= i32::from(refusals > 0);
        match refusals {
            0 => usual(request),
            _ => Reply::Says(403, "who are you".to_owned()),
        }
    })
    .await;
    let terminal = terminal(Profile::V24)
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    assert_eq!(terminal.counts().handshakes, 3);
}

/// A server with these settings, which asks for the log at the second poll.
async fn set(settings: &'static str) -> Office {
    let mut polls = 0;
    Office::open(move |request| match request.line() {
        line if line.contains("options=all") => {
            ok(format!("GET OPTION FROM: BOCK200961014\n{settings}"))
        }
        line if line.contains("/getrequest") => {
            polls += 1;
            ok(if polls == 2 { "C:1:LOG" } else { "OK" })
        }
        _ => usual(request),
    })
    .await
}

#[tokio::test]
async fn without_real_time_it_waits_until_it_is_told() {
    let office = set("Realtime=0\nTransInterval=0\n").await;
    let terminal = terminal(Profile::V24)
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    let before: Vec<_> = office
        .received()
        .into_iter()
        .take_while(|r| !r.line().contains("ATTLOG"))
        .collect();
    let polls = before
        .iter()
        .filter(|request| request.line().contains("/getrequest"));
    assert_eq!(polls.count(), 2);
}

#[tokio::test]
async fn without_real_time_it_uploads_at_intervals() {
    let office = set("Realtime=0\nTransInterval=1\nDelay=3600\n").await;
    let terminal = VirtualTerminal::new("BOCK200961014", Profile::V24)
        .clock(stopped(MORNING))
        .time_scale(2000)
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    assert_eq!(terminal.counts().polls, 1);
}

#[tokio::test]
async fn without_real_time_it_uploads_at_times_of_day() {
    let office = set("Realtime=0\nTransInterval=0\nTransTimes=09:00;10:31\nDelay=3600\n").await;
    let terminal = VirtualTerminal::new("BOCK200961014", Profile::V24)
        .clock(stopped(MORNING))
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_polls(1)).await;
    assert_eq!(terminal.counts().uploads, 0);
    terminal.shift_clock(jiff::SignedDuration::from_secs(60));
    within(terminal.until_acknowledged(3)).await;
    assert_eq!(terminal.counts().polls, 1);
}

#[tokio::test]
async fn only_what_the_transfer_flag_names_is_uploaded() {
    let office = set("TransFlag=TransData OpLog\n").await;
    let terminal = terminal(Profile::V24)
        .records(punches(3))
        .start(office.addr);
    terminal.add_user(User::new("7"));
    within(terminal.until_polls(4)).await;
    let uploads = office.of("POST /iclock/cdata");
    assert_eq!(uploads.len(), 1);
    assert_eq!(
        uploads[0].text(),
        "OPLOG 30\t0\t2026-11-22 10:30:00\t7\t0\t0\t0\n"
    );
}

#[tokio::test]
async fn time_stamps_say_from_where_on_the_log_is_sent_again() {
    let third = punches(5)[2].clock;
    for (profile, stamp) in [
        (Profile::A0, super::super::pack_clock(third).to_string()),
        (Profile::B, third.to_string()),
    ] {
        let mut hellos = 0;
        let office = Office::open(move |request| {
            if !request.line().contains("options=all") {
                return usual(request);
            }
            hellos += 1;
            let stamp = if hellos == 1 { "None" } else { &stamp };
            ok(format!("GET OPTION FROM: X\nStamp={stamp}\n"))
        })
        .await;
        let terminal = terminal(profile)
            .batch(1)
            .records(punches(5))
            .start(office.addr);
        within(terminal.until_acknowledged(5)).await;
        terminal.reboot();
        within(terminal.until_counts(|counts| counts.uploads == 7)).await;
        within(terminal.until_polls(terminal.counts().polls + 1)).await;
        let again: Vec<_> = terminal.log().iter().map(|logged| logged.sent).collect();
        assert_eq!(again, [1, 1, 1, 2, 2], "{profile}");
        assert_eq!(terminal.acknowledged().len(), 5);
    }
}

#[tokio::test]
async fn check_with_stamp_0_sends_the_log_again_and_a_restart_does_not() {
    let office = with_commands("C:1:CHECK").await;
    let terminal = terminal(Profile::V24)
        .records(punches(3))
        .start(office.addr);
    within(terminal.until_counts(|counts| counts.uploads == 2)).await;
    terminal.reboot();
    within(terminal.until_counts(|counts| counts.handshakes == 3)).await;
    within(terminal.until_polls(terminal.counts().polls + 2)).await;
    assert_eq!(terminal.counts().uploads, 2);
    assert_eq!(office.attlogs()[0], office.attlogs()[1]);
}

#[tokio::test]
async fn parameters_are_those_the_server_asks_for() {
    let office =
        set("PushOptionsFlag=1\nPushOptions=FWVersion,UserCount,NoSuchThing,~Platform\n").await;
    let _terminal = terminal(Profile::V24).start(office.addr);
    let upload = office
        .until(1, "POST /iclock/cdata?SN=BOCK200961014&table=options")
        .await;
    assert_eq!(
        upload.text(),
        "FWVersion=Ver 8.0.4.1-20180102,UserCount=0,~Platform=ZMM220_TFT"
    );
}
