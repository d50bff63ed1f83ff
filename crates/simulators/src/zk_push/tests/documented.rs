//! Requests byte by byte as section 14 of the protocol document prints them; `E` and `A` numbers are its examples.

use super::*;

const HEADERS: &str =
    "Host: 10.0.0.5:8081\nUser-Agent: iClock Proxy/1.09\nConnection: close\nAccept: */*\n";
const ACCESS_HEADERS: &str =
    "Host: 10.0.0.5:8081\nUser-Agent: iClock Proxy/1.09\nConnection: starting\nAccept: */*\n";

const TEXT: &str = "Content-Type: text/plain\n";
const PUSH: &str = "Content-Type: application/push;charset=UTF-8\n";

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\n{HEADERS}\n")
}

fn post(target: &str, kind: &str, length: usize, body: &str) -> String {
    format!("POST {target} HTTP/1.1\n{HEADERS}{kind}Content-Length: {length}\n\n{body}")
}

/// Waits for the first request that begins as `expected` does up to the query, and compares all of it.
async fn check(office: &Office, start: &str, expected: &str) {
    let request = office.until(1, start).await;
    assert_eq!(request.printed(office.addr), expected);
}

#[tokio::test]
async fn e1_handshake() {
    let office = Office::open(usual).await;
    let _terminal = terminal(Profile::V24).start(office.addr);
    let target = "/iclock/cdata?SN=BOCK200961014&options=all&pushver=2.4.1&language=69&DeviceType=att&PushOptionsFlag=1";
    check(&office, "GET", &get(target)).await;
}

#[tokio::test]
async fn e2_handshake_of_2009() {
    let office = Office::open(usual).await;
    let old = VirtualTerminal::new("0066688490001", Profile::A0);
    let _terminal = old.start(office.addr);
    let target = "/iclock/cdata?SN=0066688490001&options=all";
    check(&office, "GET", &get(target)).await;
}

#[tokio::test]
async fn e3_first_poll() {
    let office = Office::open(usual).await;
    let users = (0..14u8).map(|n| {
        let fingers = [10, 10, 2].get(usize::from(n)).copied().unwrap_or(0);
        let user = User::new((1001 + u32::from(n)).to_string());
        (0..fingers).fold(user, |user, finger| user.with_finger(finger, "Sg=="))
    });
    let _terminal = terminal(Profile::V24)
        .option("FWVersion", "Ver 2.0.12-20150625")
        .option("IPAddress", "192.168.16.27")
        .users(users)
        .records(punches(1093))
        .start(office.addr);
    let info = "Ver%202.0.12-20150625,14,22,1093,192.168.16.27,10,7,15,0,111";
    let target = format!("/iclock/getrequest?SN=BOCK200961014&INFO={info}");
    check(&office, "GET /iclock/getrequest", &get(&target)).await;
    let second = office.until(2, "GET /iclock/getrequest").await;
    let target = "/iclock/getrequest?SN=BOCK200961014"; // E10
    assert_eq!(second.printed(office.addr), get(target));
}

#[tokio::test]
async fn e4_three_punches() {
    let office = Office::open(usual).await;
    let _terminal = terminal(Profile::V24)
        .attlog_fields(7)
        .records([
            Punch::new("1452", at("2026-11-22T10:29:58"), 0, 1),
            Punch::new("1452", at("2026-11-22T10:30:01"), 0, 1),
            Punch::new("8965", at("2026-11-22T10:30:02"), 1, 15),
        ])
        .start(office.addr);
    let target = "/iclock/cdata?SN=BOCK200961014&table=ATTLOG&Stamp=9999";
    let body = "1452\t2026-11-22 10:29:58\t0\t1\t0\t0\t0\n1452\t2026-11-22 10:30:01\t0\t1\t0\t0\t0\n8965\t2026-11-22 10:30:02\t1\t15\t0\t0\t0\n";
    check(&office, "POST", &post(target, TEXT, 106, body)).await;
}

#[tokio::test]
async fn e5_a_face_terminal_with_its_zone() {
    let office = Office::open(usual).await;
    let _terminal = VirtualTerminal::new("NCD8000000001", Profile::V242)
        .temperature("36.4", "97.5")
        .records([Punch::new("11", at("2026-11-22T10:57:49"), 0, 25)])
        .start(office.addr);
    let target = "/iclock/cdata?SN=NCD8000000001&table=ATTLOG&Stamp=9999";
    let body = "11\t2026-11-22 10:57:49\t0\t25\t0\t0\t0\t0\t36.4\t97.5\t+19800\t\n";
    check(&office, "POST", &post(target, PUSH, 54, body)).await;
}

#[tokio::test]
async fn e6_operations_and_a_user() {
    let office = Office::open(usual).await;
    let clock = Arc::new(Mutex::new(at("2026-11-22T10:22:34")));
    let shown = clock.clone();
    let terminal = terminal(Profile::V24)
        .clock(Arc::new(move || *shown.lock().unwrap()))
        .start(office.addr);
    terminal.go_offline();
    terminal.operation(4, "14", ["0", "0", "0", "0"]);
    *clock.lock().unwrap() = at("2026-11-22T10:23:10");
    terminal.operation(6, "14", ["36234", "0", "1124", "0"]);
    terminal.put_user(
        User::new("36234")
            .named("Ana")
            .with_card(133_440)
            .with_time_zones("0001000000000000")
            .with_finger(0, "SghTUzIxAAADS00E"),
    );
    terminal.go_online();
    let target = "/iclock/cdata?SN=BOCK200961014&table=OPERLOG&OpStamp=9999";
    let body = "OPLOG 4\t14\t2026-11-22 10:22:34\t0\t0\t0\t0\nOPLOG 6\t14\t2026-11-22 10:23:10\t36234\t0\t1124\t0\nUSER PIN=36234\tName=Ana\tPri=0\tPasswd=\tCard=133440\tGrp=1\tTZ=0001000000000000\tVerify=0\tViceCard=\nFP PIN=36234\tFID=0\tSize=16\tValid=1\tTMP=SghTUzIxAAADS00E\n";
    check(&office, "POST", &post(target, TEXT, 236, body)).await;
}

#[tokio::test]
async fn e7_a_template() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V24).start(office.addr);
    let line = "BIODATA Pin=36234\tNo=0\tIndex=0\tValid=1\tDuress=0\tType=9\tMajorVer=58\tMinorVer=0\tFormat=0\tTmp=apUBEK8AAQ==";
    terminal.queue("BIODATA", line);
    let target = "/iclock/cdata?SN=BOCK200961014&table=BIODATA&Stamp=9999";
    let body = format!("{line}\n");
    check(&office, "POST", &post(target, PUSH, 104, &body)).await;
}

#[tokio::test]
async fn e8_a_photo() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V24).start(office.addr);
    let jpeg = "x".repeat(9512);
    terminal.photo("20261122103012-123.jpg", jpeg.as_bytes());
    let target = "/iclock/cdata?SN=BOCK200961014&table=ATTPHOTO&Stamp=9999";
    let body =
        format!("PIN=20261122103012-123.jpg\nSN=BOCK200961014\nsize=9512\nCMD=uploadphoto\0{jpeg}");
    let kind = "Content-Type: application/octet-stream\n";
    check(&office, "POST", &post(target, kind, 9582, &body)).await;
}

#[tokio::test]
async fn e9_parameters() {
    let office = Office::open(|request: &Received| match request.line() {
        line if line.contains("options=all") => ok(settings() + "PushOptionsFlag=1\n"),
        _ => usual(request),
    })
    .await;
    let _terminal = terminal(Profile::V24)
        .users((1..=7).map(|n| User::new(n.to_string())))
        .records(punches(23))
        .start(office.addr);
    let target = "/iclock/cdata?SN=BOCK200961014&table=options";
    let body = "~DeviceName=ProBio,MAC=00:17:61:11:ad:4f,TransactionCount=23,~MaxAttLogCount=10,UserCount=7,FingerFunOn=1,FPVersion=10,FaceFunOn=1,FWVersion=Ver 8.0.4.1-20180102,PushVersion=Ver 2.0.34-20180822";
    check(&office, "POST", &post(target, PUSH, 193, body)).await;
}

#[tokio::test]
async fn e11_results_in_one_request() {
    let commands = "C:101:DATA UPDATE USERINFO PIN=36234\tName=Ana\tPri=0\tPasswd=\tCard=133440\tGrp=1\tTZ=0000000100000000\nC:102:DATA QUERY ATTLOG StartTime=2026-11-21 00:00:00\tEndTime=2026-11-22 23:59:59\n";
    let office = with_commands(commands).await;
    let _terminal = terminal(Profile::V24).start(office.addr);
    let target = "/iclock/devicecmd?SN=BOCK200961014";
    let body = "ID=101&Return=0&CMD=DATA\nID=102&Return=0&CMD=DATA\n";
    check(&office, "POST", &post(target, TEXT, 50, body)).await;
}

#[tokio::test]
async fn e12_info() {
    let office = with_commands("C:103:INFO").await;
    let users = (0..14u8).map(|n| {
        let fingers = [10, 10, 2].get(usize::from(n)).copied().unwrap_or(0);
        let user = User::new(n.to_string());
        (0..fingers).fold(user, |user, finger| user.with_finger(finger, "Sg=="))
    });
    let _terminal = terminal(Profile::V24)
        .option("DeviceName", "K40")
        .option("FWVersion", "Ver 6.60 Apr 28 2017")
        .option("IPAddress", "192.168.16.27")
        .option("Platform", "ZEM510_TFT")
        .option("MAC", "00:17:61:7C:65:28")
        .users(users)
        .records(punches(1093))
        .start(office.addr);
    let target = "/iclock/devicecmd?SN=BOCK200961014";
    let body = "ID=103&Return=0&CMD=INFO\n~DeviceName=K40\nFWVersion=Ver 6.60 Apr 28 2017\nUserCount=14\nFPCount=22\nTransactionCount=1093\nIPAddress=192.168.16.27\n~Platform=ZEM510_TFT\nMAC=00:17:61:7C:65:28\nLanguage=69\n";
    let expected = post(target, TEXT, 197, body);
    check(&office, "POST /iclock/devicecmd", &expected).await;
}

#[tokio::test]
async fn e13_a_result_of_many_lines() {
    let office = with_commands("C:32:Shell date").await;
    let _terminal = terminal(Profile::V24)
        .shell_output("Tue Mar 24 16:12:26 GMT 2026")
        .start(office.addr);
    let target = "/iclock/devicecmd?SN=BOCK200961014";
    let body = "ID=32\nSN=BOCK200961014\nReturn=0\nCMD=Shell\nFILENAME=shellout.txt\nContent=Tue Mar 24 16:12:26 GMT 2026\n";
    check(&office, "POST", &post(target, TEXT, 101, body)).await;
}

#[tokio::test]
async fn e14_what_a_query_uploads() {
    let commands =
        "C:7:DATA QUERY ATTLOG StartTime=2026-11-21 00:00:00\tEndTime=2026-11-21 23:59:59";
    let office = with_commands(commands).await;
    let terminal = terminal(Profile::V24)
        .attlog_fields(4)
        .records([
            Punch::new("1", at("2026-11-20T23:59:59"), 0, 1),
            Punch::new("982", at("2026-11-21T12:08:21"), 0, 1),
            Punch::new("982", at("2026-11-21T18:01:09"), 1, 1),
            Punch::new("1", at("2026-11-22T00:00:00"), 0, 1),
        ])
        .start(office.addr);
    within(terminal.until_reported(1)).await;
    let uploads = office.of("POST /iclock/cdata");
    let target = "/iclock/cdata?SN=BOCK200961014&table=ATTLOG&Stamp=0";
    let body = "982\t2026-11-21 12:08:21\t0\t1\n982\t2026-11-21 18:01:09\t1\t1\n";
    assert_eq!(
        uploads[1].printed(office.addr),
        post(target, TEXT, 56, body)
    );
}

#[tokio::test]
async fn e16_essl_and_spoilt_lines() {
    let office = Office::open(usual).await;
    let mut terminal = terminal(Profile::Essl).records([
        Punch::new("1001", at("2026-11-22T08:00:00"), 0, 1),
        Punch::new("1003", at("2026-11-22T08:01:00"), 255, 1).with_work_code(""),
    ]);
    for fault in [
        "crlf",
        "no-last-lf",
        "garbage",
        "blank-lines",
        "impossible-date",
    ] {
        terminal = terminal.fault(fault.parse().unwrap());
    }
    let _terminal = terminal.start(office.addr);
    let target = "/iclock/cdata.aspx?sn=BOCK200961014&table=ATTLOG&stamp=9999";
    let body = "\r\n1001\t2026-11-22 08:00:00\t0\t1\t0\t0\t0\r\n1003\t2026-11-22 08:01:00\t255\t1\t\t0\t0\r\ngarbage\r\n1002\t2026-02-30 08:00:00\t0\t1";
    check(&office, "POST", &post(target, TEXT, body.len(), body)).await;
}

#[tokio::test]
async fn e18_a_chinese_name_and_a_card() {
    let office = Office::open(usual).await;
    let terminal = terminal(Profile::V22).start(office.addr);
    let user = User::new("7")
        .named(b"\xd5\xc5\xce\xb0")
        .with_card(123_456_789);
    terminal.put_user(user);
    let request = office.until(1, "POST").await;
    let target = "POST /iclock/cdata?SN=BOCK200961014&table=OPERLOG&Stamp=9999";
    assert_eq!(request.line(), target);
    let body = b"USER PIN=7\tName=\xd5\xc5\xce\xb0\tPri=0\tPasswd=\tCard=[15CD5B07]\tGrp=1\tTZ=0000000000000000\n";
    assert_eq!(request.body, body);
    assert_eq!(request.header("Content-Length"), Some("77"));
}

fn access() -> VirtualTerminal {
    VirtualTerminal::new("3383154200002", Profile::Acc)
        .clock(stopped(at("2026-11-22T11:49:32")))
        .delay(Duration::from_millis(20))
        .error_delay(Duration::from_millis(20))
}

#[tokio::test]
async fn a1_to_a3_registration() {
    let office = Office::open(usual).await;
    let _terminal = access()
        .token("9d41643bfba01fe8b49143c21defc20a")
        .option("DeviceName", "F20/M")
        .option("FWVersion", "Ver 8.0.1.3-20151229")
        .option("PushVersion", "Ver 2.0.22-20161201")
        .option("IPAddress", "192.168.213.221")
        .start(office.addr);
    office.until(1, "POST /iclock/push").await;
    let printed: Vec<_> = (office.received().iter().take(3))
        .map(|request| request.printed(office.addr))
        .collect();
    let hello =
        "GET /iclock/cdata?SN=3383154200002&options=all&pushver=3.1.2&DeviceType=acc HTTP/1.1";
    let registration = "DeviceType=acc,~DeviceName=F20/M,FirmVer=Ver 8.0.1.3-20151229,PushVersion=Ver 2.0.22-20161201,CommType=ethernet,MaxPackageSize=2048000,LockCount=1,ReaderCount=2,~MaxUserCount=50,~MaxAttLogCount=10,IPAddress=192.168.213.221,StringPinFunOn=0";
    assert_eq!(
        printed,
        [
            format!("{hello}\n{ACCESS_HEADERS}Accept-Charset: UTF-8\n\n"),
            format!(
                "POST /iclock/registry?SN=3383154200002 HTTP/1.1\n{ACCESS_HEADERS}{PUSH}Content-Length: 239\n\n{registration}"
            ),
            format!(
                "POST /iclock/push?SN=3383154200002 HTTP/1.1\n{ACCESS_HEADERS}{PUSH}Cookie: token=9d41643bfba01fe8b49143c21defc20a\nContent-Length: 0\n\n"
            ),
        ]
    );
}

#[tokio::test]
async fn a4_a_live_event() {
    let office = Office::open(usual).await;
    let terminal = access()
        .token("cb386eb5f8219329db63356fb262ddff")
        .records(punches(20))
        .start(office.addr);
    within(terminal.until_acknowledged(20)).await;
    terminal.punch("4", 0, 15);
    let cookie = "Cookie: token=cb386eb5f8219329db63356fb262ddff\n";
    let body = "time=2026-11-22 11:49:32\tpin=4\tcardno=0\tsitecode=0\tlinkid=0\teventaddr=1\tevent=0\tinoutstatus=0\tverifytype=15\tindex=21\n";
    let expected = format!(
        "POST /iclock/cdata?SN=3383154200002&table=rtlog HTTP/1.1\n{ACCESS_HEADERS}{PUSH}{cookie}Content-Length: 117\n\n{body}"
    );
    let start = "POST /iclock/cdata?SN=3383154200002&table=rtlog";
    check(&office, start, &expected).await;
}

#[tokio::test]
async fn a5_a_user() {
    let office = Office::open(usual).await;
    let others = (0..4).map(|n| User::new((100 + n).to_string()));
    let terminal = access()
        .token("af65a75608cf5b80fbb3b48f0b4df95a")
        .users(others)
        .start(office.addr);
    terminal.add_user(User::new("4"));
    let cookie = "Cookie: token=af65a75608cf5b80fbb3b48f0b4df95a\n";
    let body = "user uid=5\tcardno=\tpin=4\tpassword=\tgroup=1\tstarttime=0\tendtime=0\tname=\tprivilege=0\tdisable=0\tverify=0\n";
    let start = "POST /iclock/cdata?SN=3383154200002&table=tabledata&tablename=user&count=1";
    let expected =
        format!("{start} HTTP/1.1\n{ACCESS_HEADERS}{PUSH}{cookie}Content-Length: 102\n\n{body}");
    check(&office, start, &expected).await;
}

#[tokio::test]
async fn a6_a_packet_of_a_query() {
    let query = "C:415:DATA QUERY tablename=transaction,fielddesc=*,filter=*";
    let office = with_commands(query).await;
    let old = (0..20).map(|_| Punch::new("9", MORNING, 0, 1));
    let last = Punch::new("4", at("2026-11-22T11:49:32"), 0, 15);
    let terminal = access()
        .token("af65a75608cf5b80fbb3b48f0b4df95a")
        .batch(20)
        .records(old.chain([last]))
        .start(office.addr);
    within(terminal.until_reported(1)).await;
    let cookie = "Cookie: token=af65a75608cf5b80fbb3b48f0b4df95a\n";
    let body = "transaction cardno=0\tpin=4\tverified=15\tdoorid=1\teventtype=0\tinoutstate=0\ttime_second=864301772\tindex=21\tsitecode=0\tdevid=1\n";
    // The record is the last of 21, in a packet of its own.
    let start = "POST /iclock/querydata?SN=3383154200002&type=tabledata&cmdid=415&tablename=transaction&count=1&packcnt=2&packidx=2";
    let expected =
        format!("{start} HTTP/1.1\n{ACCESS_HEADERS}{PUSH}{cookie}Content-Length: 123\n\n{body}");
    check(&office, start, &expected).await;
    assert_eq!(terminal.executed()[0].code, 21);
}

#[tokio::test]
async fn a7_the_time() {
    let office = Office::open(usual).await;
    let terminal = access()
        .token("af65a75608cf5b80fbb3b48f0b4df95a")
        .follow_server_clock()
        .start(office.addr);
    let expected = format!(
        "GET /iclock/rtdata?SN=3383154200002&type=time HTTP/1.1\n{ACCESS_HEADERS}Cookie: token=af65a75608cf5b80fbb3b48f0b4df95a\n\n"
    );
    check(&office, "GET /iclock/rtdata", &expected).await;
    within(terminal.until_polls(1)).await;
    assert_eq!(terminal.now(), at("2026-11-22T10:30:03"));
}
