//! Connections, counting, and faults of the line.

use super::*;

#[tokio::test]
async fn counts_what_it_is_asked() {
    let terminal = start(entrance().answers_after(Duration::from_millis(200))).await;
    tokio::join!(get(&terminal, INFO), get(&terminal, "/ISAPI/System/time"));
    let counts = terminal.counts();
    assert_eq!(
        (
            counts.connections,
            counts.requests,
            counts.signed,
            counts.unsigned
        ),
        (4, 4, 2, 2)
    );
    assert_eq!((counts.by_path[INFO], counts.most_at_once), (2, 2));
    assert!(counts.bytes_in > 200 && counts.bytes_out > 1000);
    terminal.reset_counts();
    assert_eq!(
        (terminal.counts(), terminal.asked()),
        (Counts::default(), vec![])
    );
}

#[tokio::test]
async fn connections_are_kept_only_when_set() {
    let terminal = start(entrance().keeps_alive()).await;
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    for _ in 0..3 {
        stream
            .write_all(request("GET", INFO, None, "").as_bytes())
            .await
            .unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"</userCheck>\n") {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
        }
        assert!(response(&bytes).head.contains("Connection: keep-alive"));
    }
    assert_eq!(
        (terminal.counts().connections, terminal.counts().requests),
        (1, 3)
    );
    let closing = request("GET", INFO, None, "").replace("Host:", "Connection: close\r\nHost:");
    assert!(
        response(&exchange(&terminal, &closing).await)
            .head
            .contains("Connection: close")
    );
}

#[tokio::test]
async fn it_goes_offline_and_comes_back_on_its_port() {
    let terminal = start(entrance().events(punches(1)).keeps_alive()).await;
    let mut idle = TcpStream::connect(terminal.addr()).await.unwrap();
    idle.write_all(request("GET", INFO, None, "").as_bytes())
        .await
        .unwrap();
    let mut bytes = vec![0; 4096];
    assert!(idle.read(&mut bytes).await.unwrap() > 0);
    for round in 0..3 {
        let challenge = unsigned_closing(&terminal).await;
        if round == 1 {
            terminal.set_fault(Fault::RefuseConnection);
        } else {
            terminal.go_offline();
        }
        let error = TcpStream::connect(terminal.addr()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        terminal.go_offline();
        if round == 1 {
            terminal.clear_faults();
        } else {
            terminal.go_online().unwrap();
        }
        // The nonce of before is forgotten, the log is not.
        let authorization = sign(&login(), challenge.challenges()[0], "GET", INFO, 1);
        let again = request("GET", INFO, Some(&authorization), "")
            .replace("Host:", "Connection: close\r\nHost:");
        assert_eq!(response(&exchange(&terminal, &again).await).status, 401);
        assert_eq!(
            (terminal.event_count(), terminal.counts().refused_sign_ins),
            (1, 0)
        );
    }
    assert!(matches!(idle.read(&mut bytes).await, Ok(0) | Err(_)));
}

async fn unsigned_closing(terminal: &RunningTerminal) -> Response {
    let closing = request("GET", INFO, None, "").replace("Host:", "Connection: close\r\nHost:");
    response(&exchange(terminal, &closing).await)
}

#[tokio::test]
async fn dropping_it_ends_everything() {
    let terminal = start(entrance().fault(Fault::Silent)).await;
    let addr = terminal.addr();
    let mut waiting = TcpStream::connect(addr).await.unwrap();
    waiting
        .write_all(request("GET", INFO, None, "").as_bytes())
        .await
        .unwrap();
    while terminal.counts().requests == 0 {
        tokio::task::yield_now().await;
    }
    drop(terminal);
    let ended = timeout(Duration::from_secs(5), waiting.read(&mut [0; 16]))
        .await
        .unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert!(TcpStream::connect(addr).await.is_err());
}

/// What arrives of a signed `INFO` while `fault` holds: the bytes until nothing comes for a second, at most a few
/// megabytes, and whether the terminal closed.
async fn faulty_info(fault: Fault) -> (Vec<u8>, bool) {
    let terminal = start(entrance().fault(fault)).await;
    let challenge = unsigned(&terminal, "GET", INFO).await;
    let authorization = sign(&login(), challenge.challenges()[0], "GET", INFO, 1);
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    let asked = request("GET", INFO, Some(&authorization), "");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    while bytes.len() < 4 << 20 {
        let read = timeout(Duration::from_secs(1), stream.read_buf(&mut bytes));
        match read.await {
            Ok(Ok(0)) => return (bytes, true),
            Ok(read) => read.unwrap(),
            Err(_) => break,
        };
    }
    (bytes, false)
}

fn announced(response: &Response) -> u64 {
    let line = response
        .head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn bodies_are_cut_or_stall_half_way() {
    for (fault, closes) in [(Fault::CutMidBody, true), (Fault::StallMidBody, false)] {
        let (bytes, closed) = faulty_info(fault).await;
        let answer = response(&bytes);
        assert_eq!((answer.status, closed), (200, closes));
        assert_eq!(answer.body.len() as u64, announced(&answer) / 2);
    }
}

#[tokio::test]
async fn lengths_are_wrong_by_what_was_set() {
    for by in [-5, 7] {
        let (bytes, closed) = faulty_info(Fault::WrongContentLength(by)).await;
        let answer = response(&bytes);
        assert!(closed && answer.text().ends_with("</DeviceInfo>\n"));
        assert_eq!(announced(&answer) as i64, answer.body.len() as i64 + by);
    }
}

#[tokio::test]
async fn garbage_is_no_http_or_no_body() {
    let (bytes, closed) = faulty_info(Fault::Garbage).await;
    assert!(closed && !bytes.is_empty() && !bytes.starts_with(b"HTTP"));
    let (bytes, closed) = faulty_info(Fault::GarbageBody).await;
    let answer = response(&bytes);
    assert!(closed && answer.status == 200 && std::str::from_utf8(&answer.body).is_err());
    assert_eq!(announced(&answer), answer.body.len() as u64);
}

#[tokio::test]
async fn a_huge_body_goes_on_for_as_long_as_it_is_read() {
    let (bytes, closed) = faulty_info(Fault::HugeBody).await;
    assert!(!closed && bytes.len() >= 4 << 20);
    assert_eq!(announced(&response(&bytes)), 4 << 30);

    let (bytes, closed) = faulty_info(Fault::EndlessBody).await;
    assert!(!closed && bytes.len() >= 4 << 20);
    assert!(!response(&bytes).head.contains("Content-Length"));
}

#[tokio::test]
async fn slow_and_dribbled_answers_are_whole_in_the_end() {
    for fault in [
        Fault::Slow(Duration::from_millis(60)),
        Fault::Dribble(Duration::from_micros(100)),
    ] {
        let terminal = start(entrance().fault(fault)).await;
        let began = std::time::Instant::now();
        let answer = get(&terminal, INFO).await;
        assert!(answer.text().ends_with("</DeviceInfo>\n"));
        assert!(began.elapsed() >= Duration::from_millis(60));
    }
}

#[tokio::test]
async fn a_silent_terminal_takes_the_request_and_says_nothing() {
    let terminal = start(entrance().fault(Fault::Silent.on(INFO))).await;
    let mut stream = TcpStream::connect(terminal.addr()).await.unwrap();
    stream
        .write_all(request("GET", INFO, None, "").as_bytes())
        .await
        .unwrap();
    let read = timeout(Duration::from_millis(100), stream.read(&mut [0; 16])).await;
    assert!(read.is_err());
    assert_eq!(terminal.asked()[0].status, 0);
    assert_eq!(
        unsigned(&terminal, "GET", "/ISAPI/System/time")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn refusals_that_are_no_wrong_password() {
    async fn check(fault: Fault, status: u16, says: &str) {
        let terminal = start(entrance().fault(fault)).await;
        let answer = unsigned(&terminal, "GET", INFO).await;
        assert_eq!((answer.status, answer.challenges().len()), (status, 0));
        assert!(answer.text().contains(says));
        assert_eq!(terminal.counts().refused_sign_ins, 0);
    }
    check(
        Fault::Busy,
        503,
        "<subStatusCode>deviceBusy</subStatusCode>",
    )
    .await;
    check(Fault::BareUnauthorized, 401, "<html>").await;
    let terminal = start(entrance().fault(Fault::ErrorInOk)).await;
    let answer = post(&terminal, SEARCH, &json!({})).await;
    assert_eq!(
        (answer.status, &answer.json()["statusCode"]),
        (200, &json!(3))
    );
}
