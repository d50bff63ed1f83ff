//! Access-control terminals.

use super::*;

fn door() -> VirtualTerminal {
    VirtualTerminal::new("3383154200002", Profile::Acc)
        .clock(stopped(MORNING))
        .delay(Duration::from_millis(20))
        .error_delay(Duration::from_millis(20))
}

/// What the terminal reports of a command.
async fn check(command: &'static str, expected: &str) -> (Office, RunningTerminal) {
    let office = with_commands(command).await;
    let terminal = door().users([User::new("1").named("Ana")]).batch(2);
    let terminal = terminal.records(punches(3)).start(office.addr);
    let report = office.until(1, "POST /iclock/devicecmd").await;
    assert_eq!(report.text(), format!("{expected}\n"), "{command}");
    within(terminal.until_reported(1)).await;
    (office, terminal)
}

fn answers(office: &Office) -> Vec<(String, String)> {
    let answers = office.of("POST /iclock/querydata").into_iter();
    answers
        .map(|request| {
            let (_, query) = request.line().split_once("&type=").unwrap();
            (query.to_owned(), request.text())
        })
        .collect()
}

#[tokio::test]
async fn a_refused_registration_is_repeated() {
    let mut refusals = 2;
    let office = Office::open(move |request| match request.is("POST /iclock/registry") {
        true if refusals > 0 => {
            refusals -= 1;
            Reply::Says(406, String::new())
        }
        _ => usual(request),
    })
    .await;
    let terminal = door().records(punches(3)).start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    let counts = terminal.counts();
    assert_eq!((counts.registrations, counts.handshakes), (3, 3));
}

#[tokio::test]
async fn a_terminal_the_server_knows_need_not_register() {
    let office = Office::open(|request: &Received| match request.line() {
        line if line.contains("options=all") => ok(format!(
            "registry=ok\nRegistryCode=Uy47fxftP3\n{CONFIGURATION}"
        )),
        _ => usual(request),
    })
    .await;
    let terminal = door().records(punches(3)).start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    assert_eq!(terminal.counts().registrations, 0);
    let poll = office.until(1, "GET /iclock/getrequest").await;
    // MD5 of code, serial number and session id.
    assert_eq!(
        poll.header("Cookie"),
        Some("token=a59b6315f78c9a2b8e04ef32a50760e9")
    );
    assert!(!poll.line().contains("INFO"));
}

#[tokio::test]
async fn what_it_could_not_tell_live_comes_as_transactions() {
    let office = Office::open(usual).await;
    let terminal = door().start(office.addr);
    within(terminal.until_polls(1)).await;
    terminal.go_offline();
    terminal.punch("1", 0, 15);
    terminal.punch("2", 1, 15);
    terminal.go_online();
    within(terminal.until_acknowledged(2)).await;
    terminal.punch("3", 0, 15);
    within(terminal.until_acknowledged(3)).await;
    let start = "POST /iclock/cdata?SN=3383154200002&table=tabledata&tablename=transaction&count=2";
    let upload = office.until(1, start).await;
    assert_eq!(
        upload.text(),
        "transaction cardno=0\tpin=1\tverified=15\tdoorid=1\teventtype=0\tinoutstate=0\ttime_second=864297000\tindex=1\tsitecode=0\tdevid=1\n\
         transaction cardno=0\tpin=2\tverified=15\tdoorid=1\teventtype=0\tinoutstate=1\ttime_second=864297000\tindex=2\tsitecode=0\tdevid=1\n"
    );
    let live = office
        .until(1, "POST /iclock/cdata?SN=3383154200002&table=rtlog")
        .await;
    assert!(live.text().contains("\tpin=3\t") && live.text().ends_with("index=3\n"));
}

#[tokio::test]
async fn transactions_want_to_be_counted_by_name() {
    let mut bare = Some("OK");
    let office = Office::open(move |request| match request.line().contains("tabledata") {
        true => bare.take().map_or_else(|| usual(request), ok),
        false => usual(request),
    })
    .await;
    let terminal = door().records(punches(3)).start(office.addr);
    within(terminal.until_acknowledged(3)).await;
    assert_eq!(
        (terminal.counts().uploads, terminal.counts().bad_acks),
        (2 + 1, 1)
    );
}

#[tokio::test]
async fn the_state_of_the_doors_is_told_after_connecting() {
    let office = Office::open(usual).await;
    let _terminal = door().start(office.addr);
    let state = office
        .until(1, "POST /iclock/cdata?SN=3383154200002&table=rtstate")
        .await;
    assert_eq!(
        state.text(),
        "time=2026-11-22 10:30:00\tsensor=00\trelay=00\talarm=0000000000000000\n"
    );
}

#[tokio::test]
async fn people_and_who_may_open() {
    let ben = "C:1:DATA UPDATE user CardNo=7\tPin=2\tPassword=9\tGroup=2\tStartTime=0\tEndTime=0\tName=Ben\tPrivilege=14";
    let (_office, terminal) = check(ben, "ID=1&Return=0&CMD=DATA UPDATE").await;
    let mut expected = User::new("2")
        .named("Ben")
        .with_card(7)
        .with_password("9")
        .admin();
    expected.group = 2;
    assert_eq!(terminal.users()[1], expected);
    let ana = "C:1:DATA UPDATE userauthorize Pin=1\tAuthorizeTimezoneId=1\tAuthorizeDoorId=1";
    let (_office, terminal) = check(ana, "ID=1&Return=0&CMD=DATA UPDATE").await;
    assert_eq!(terminal.authorized(), ["1"]);
    let (_office, terminal) = check(
        "C:1:DATA DELETE user Pin=1",
        "ID=1&Return=1&CMD=DATA DELETE",
    )
    .await;
    assert!(terminal.users().is_empty());
}

#[tokio::test]
async fn counts_and_tables_are_told_before_the_result() {
    let count = (
        "count&cmdid=1&tablename=user&count=1&packcnt=1&packidx=1",
        "user=1",
    );
    let (office, _terminal) = check("C:1:DATA COUNT user", "ID=1&Return=1&CMD=DATA COUNT").await;
    assert_eq!(answers(&office), [(count.0.to_owned(), count.1.to_owned())]);

    let all = "C:1:DATA QUERY tablename=transaction,fielddesc=*,filter=*";
    let (office, terminal) = check(all, "ID=1&Return=3&CMD=DATA QUERY").await;
    let packets: Vec<_> = answers(&office)
        .into_iter()
        .map(|(query, body)| (query, body.lines().count()))
        .collect();
    let packet = |count, index| {
        let query = format!(
            "tabledata&cmdid=1&tablename=transaction&count={count}&packcnt=2&packidx={index}"
        );
        (query, count)
    };
    assert_eq!(packets, [packet(2, 1), packet(1, 2)]);
    assert_eq!(terminal.acknowledged().len(), 3);

    let user = "C:1:DATA QUERY tablename=user,fielddesc=*,filter=*";
    let (office, _terminal) = check(user, "ID=1&Return=1&CMD=DATA QUERY").await;
    assert!(
        answers(&office)[0]
            .1
            .starts_with("user uid=1\tcardno=\tpin=1\t")
    );

    // Nothing is new, for all was uploaded before.
    let new = "C:1:DATA QUERY tablename=transaction,fielddesc=*,filter=NewRecord";
    let (office, _terminal) = check(new, "ID=1&Return=0&CMD=DATA QUERY").await;
    let nothing = "tabledata&cmdid=1&tablename=transaction&count=0&packcnt=0&packidx=0";
    assert_eq!(answers(&office), [(nothing.to_owned(), String::new())]);
}

#[tokio::test]
async fn a_query_may_promise_more_than_it_brings() {
    let all = "C:1:DATA QUERY tablename=transaction,fielddesc=*,filter=*";
    let office = with_commands(all).await;
    let terminal = door()
        .records(punches(3))
        .fault(Fault::EmptyQueries)
        .start(office.addr);
    within(terminal.until_reported(1)).await;
    assert_eq!(terminal.executed()[0].code, 3);
    let answers = answers(&office);
    assert!(answers[0].0.contains("count=0&packcnt=0"), "{answers:?}");
}

#[tokio::test]
async fn doors_clock_and_options() {
    let (_office, terminal) = check(
        "C:1:CONTROL DEVICE 01010105",
        "ID=1&Return=0&CMD=CONTROL DEVICE",
    )
    .await;
    assert_eq!(terminal.unlocks(), 1);
    let (_office, terminal) = check(
        "C:1:CONTROL DEVICE 03000000",
        "ID=1&Return=0&CMD=CONTROL DEVICE",
    )
    .await;
    within(terminal.until_counts(|counts| counts.registrations == 2)).await;
    check(
        "C:1:CONTROL DEVICE 01 01",
        "ID=1&Return=-1&CMD=CONTROL DEVICE",
    )
    .await;
    let (_office, terminal) = check(
        "C:1:SET OPTIONS DateTime=583080894,Volume=3",
        "ID=1&Return=0&CMD=SET OPTIONS",
    )
    .await;
    assert_eq!(terminal.now(), at("2018-02-22T14:54:54"));
    assert_eq!(terminal.option("Volume").as_deref(), Some("3"));
    let (office, _terminal) = check(
        "C:1:GET OPTIONS ~DeviceName,IPAddress,None",
        "ID=1&Return=0&CMD=GET OPTIONS",
    )
    .await;
    let query = "options&cmdid=1&tablename=options&count=1&packcnt=1&packidx=1";
    let body = "~DeviceName=ProBio,IPAddress=192.168.1.201";
    assert_eq!(answers(&office), [(query.to_owned(), body.to_owned())]);
}

#[tokio::test]
async fn what_it_does_not_know() {
    check("C:1:AC_UNLOCK", "ID=1&Return=-13&CMD=AC_UNLOCK").await;
    check("C:1:DATA COUNT shoes", "ID=1&Return=-629&CMD=DATA COUNT").await;
    let shoes = "C:1:DATA QUERY tablename=shoes,fielddesc=*,filter=*";
    check(shoes, "ID=1&Return=-629&CMD=DATA QUERY").await;
}

#[tokio::test]
async fn wrapped_commands_are_unwrapped() {
    let wrapped =
        "DataType=1,SN=3383154200002,Priority=0,CmdID=5,CmdDesc=C:5:CONTROL DEVICE 01010105";
    let (_office, terminal) = check(wrapped, "ID=5&Return=0&CMD=CONTROL DEVICE").await;
    assert_eq!(terminal.executed()[0].id, "5");
}

#[tokio::test]
async fn the_key_and_the_wish_for_wrapped_commands_stand_in_the_registration() {
    let office = Office::open(usual).await;
    let _terminal = door()
        .comm_key("s3cret")
        .option("CmdFormat", "1")
        .start(office.addr);
    let registration = office.until(1, "POST /iclock/registry").await.text();
    assert!(
        registration.ends_with(",CmdFormat=1,authKey=s3cret"),
        "{registration}"
    );
}
