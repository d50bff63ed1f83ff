//! Terminals that call, over real sockets and with raw bytes: what is read, what is refused, and that nobody holds up anybody.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ingest::Clock;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use web::push::{
    Decision, Limits, Method, OTHER_LIMIT, PushAnswer, PushHead, PushListener, PushListenerOptions,
    PushProtocol, PushRequest, StatusCode,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

/// Answers with what it was asked.
#[derive(Clone)]
struct Echo(Arc<Seen>);

struct Seen {
    /// Requests that arrived whole.
    whole: Mutex<Vec<String>>,
    /// What `/slow` waits for.
    gate: Semaphore,
}

impl PushProtocol for Echo {
    async fn decide(&self, head: &PushHead) -> Decision {
        match head.path.as_str() {
            "/unknown" => Decision::Refuse(PushAnswer::later(60, "ERROR: device not approved")),
            "/panic-early" => panic!("as asked"),
            "/never-decided" => std::future::pending().await,
            "/small" => Decision::Read { limit: 8 },
            _ => Decision::Read { limit: OTHER_LIMIT },
        }
    }

    async fn answer(&self, request: PushRequest) -> PushAnswer {
        let PushHead { path, query, .. } = &request.head;
        let method = match request.head.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
        };
        let body = String::from_utf8_lossy(&request.body);
        let said = format!("{method} {path} {query} {} {body}", request.body.len());
        self.0.whole.lock().expect("a lock").push(said.clone());
        match path.as_str() {
            "/panic" => panic!("as asked"),
            "/never" => std::future::pending().await,
            "/slow" => {
                let _ = self.0.gate.acquire().await.expect("a gate");
            }
            "/down" => return PushAnswer::later(7, "ERROR: no database"),
            "/teapot" => return PushAnswer::with(StatusCode::IM_A_TEAPOT, "ERROR"),
            "/large" => return PushAnswer::ok(vec![b'x'; 32 * 1024 * 1024]),
            _ => {}
        }
        PushAnswer::ok(said)
    }
}

struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::with(PushListenerOptions::default()).await
    }

    async fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits {
            connections: 4096,
            connections_per_address: 4096,
            ..Limits::default()
        };
        change(&mut limits);
        Self::with(PushListenerOptions {
            limits,
            ..PushListenerOptions::default()
        })
        .await
    }

    async fn with(options: PushListenerOptions) -> Self {
        let clock: Timestamp = "2026-11-22T05:00:03Z".parse().expect("an instant");
        let seen = Arc::new(Seen {
            whole: Mutex::default(),
            gate: Semaphore::new(0),
        });
        let any = "127.0.0.1:0".parse().expect("an address");
        let listener = PushListener::bind(&[any]).await.expect("a port");
        let address = listener.addresses()[0];
        let (stop, stopped) = oneshot::channel();
        let protocol = Echo(seen.clone());
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            let clock = Clock::stopped(clock);
            listener.serve(protocol, clock, options, stopped).await;
        });
        Self {
            address,
            seen,
            stop,
            task,
        }
    }

    async fn connect(&self) -> Caller {
        let stream = TcpStream::connect(self.address).await;
        Caller(stream.expect("a connection"))
    }

    /// What comes back for these bytes until the server ends the connection.
    async fn call(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut caller = self.connect().await;
        caller.send(bytes).await;
        caller.rest().await
    }

    fn whole(&self) -> Vec<String> {
        self.seen.whole.lock().expect("a lock").clone()
    }

    /// It still answers, and stops when told.
    async fn ends_well(self) {
        let said = self.call("GET /well HTTP/1.0\r\n\r\n").await;
        assert_eq!(body(&said), "GET /well  0 ");
        self.stop.send(()).expect("it runs");
        within(self.task).await.expect("it ends");
    }
}

struct Caller(TcpStream);

impl Caller {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.0.write_all(bytes.as_ref()))
            .await
            .expect("sent");
    }

    async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        // Bytes that came before a reset count.
        let _ = within(self.0.read_to_end(&mut all)).await;
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Reads until what came ends with `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        while !all.ends_with(end.as_bytes()) {
            let byte = within(self.0.read_u8()).await;
            all.push(
                byte.unwrap_or_else(|e| panic!("{e} after {:?}", String::from_utf8_lossy(&all))),
            );
        }
        String::from_utf8(all).expect("text")
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, future).await;
    ended.expect("nobody waits for ever")
}

fn status(said: &str) -> &str {
    said.get(9..12).unwrap_or(said)
}

fn body(said: &str) -> &str {
    said.split_once("\r\n\r\n").map_or(said, |(_, body)| body)
}

#[tokio::test]
async fn an_answer_is_as_terminals_know_it() {
    let server = Server::start().await;
    let head = "POST /iclock/cdata?SN=A1&table=ATTLOG&Stamp=9999 HTTP/1.1\r\nHost: 10.0.0.5:8081\r\n\
        User-Agent: iClock Proxy/1.09\r\nConnection: close\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\n";
    assert_eq!(
        server.call(format!("{head}1%09+\t2\n")).await,
        "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 05:00:03 GMT\r\nContent-Type: text/plain\r\n\
        Content-Length: 59\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n\
        POST /iclock/cdata SN=A1&table=ATTLOG&Stamp=9999 8 1%09+\t2\n"
    );
    assert_eq!(
        server
            .call("GET /down HTTP/1.1\r\nConnection: starting\r\n\r\n")
            .await,
        "HTTP/1.1 503 Service Unavailable\r\nDate: Sun, 22 Nov 2026 05:00:03 GMT\r\nContent-Type: text/plain\r\n\
        Content-Length: 18\r\nConnection: close\r\nRetry-After: 7\r\nCache-Control: no-store\r\n\r\nERROR: no database"
    );
    server.ends_well().await;
}

#[tokio::test]
async fn loose_requests_are_read() {
    let server = Server::start().await;
    for (request, expected) in [
        ("GET /a HTTP/1.0\r\n\r\n", "GET /a  0 "),
        (
            "GET /a?INFO=Ver 2.0.12, 2, 0 HTTP/1.0\r\n\r\n",
            "GET /a INFO=Ver%202.0.12,%202,%200 0 ",
        ),
        (
            "GET /a?N=\"é\x01\t#<`{|}>\\^ HTTP/1.0\r\n\r\n",
            "GET /a N=%22%C3%A9%01%09%23%3C%60%7B%7C%7D%3E%5C%5E 0 ",
        ),
        ("GET /a?N=%zz% HTTP/1.0\r\n\r\n", "GET /a N=%zz% 0 "),
        (
            "GET http://h:80/a/iclock/ping?SN=1 HTTP/1.0\r\n\r\n",
            "GET /a/iclock/ping SN=1 0 ",
        ),
        ("\r\n\r\nGET /a HTTP/1.0\r\n\r\n", "GET /a  0 "),
        ("GET /a HTTP/1.0\n\n", "GET /a  0 "),
        (
            "GET /a HTTP/1.1\r\nConnection: close\r\nX: \u{e9}\r\n\r\n",
            "GET /a  0 ",
        ),
        (
            "POST /a HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
            "POST /a  0 ",
        ),
        (
            "POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabcdef",
            "POST /a  3 abc",
        ),
        (
            "GET /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
            "GET /a  3 abc",
        ),
    ] {
        assert_eq!(body(&server.call(request).await), expected, "{request:?}");
    }
    let said = server
        .call("HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await;
    assert!(said.contains("Content-Length: 11\r\n"), "{said}");
    assert_eq!((status(&said), body(&said)), ("200", ""));
    server.ends_well().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_nothing_of_it_taken() {
    let server = Server::start().await;
    let long = "x".repeat(20_000);
    for (request, expected) in [
        ("POST /a HTTP/1.1\r\n\r\n", "411"),
        (
            "POST /a HTTP/1.1\r\n\r\n1001\t2026-11-22 08:00:00\t0\t1\n",
            "411",
        ),
        (
            "POST /a HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
            "413",
        ),
        (
            "POST /a HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            "413",
        ),
        (
            "POST /small HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789",
            "413",
        ),
        (
            "POST /small HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
            "413",
        ),
        (
            "POST /small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n5\r\n12345\r\n0\r\n\r\n",
            "413",
        ),
        ("POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"),
        (
            "POST /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (
            "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "400",
        ),
        (
            "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            "400",
        ),
        ("PUT /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "405"),
        ("DELETE /a HTTP/1.1\r\n\r\n", "405"),
        ("OPTIONS * HTTP/1.1\r\n\r\n", "405"),
        ("CONNECT h:443 HTTP/1.1\r\n\r\n", "405"),
        ("GET HTTP/1.1\r\n\r\n", "400"),
        ("GARBAGE\r\n\r\n", "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
        (&format!("GET /{long} HTTP/1.1\r\n\r\n"), "431"),
        (&format!("GET / HTTP/1.1\r\nA: {long}\r\n\r\n"), "431"),
        (
            &format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101)),
            "431",
        ),
        ("GET /teapot HTTP/1.0\r\n\r\n", "418"),
    ] {
        let said = server.call(request).await;
        assert_eq!(status(&said), expected, "{request:?}: {said}");
        assert!(
            said.contains("\r\nDate: Sun, 22 Nov 2026 05:00:03 GMT\r\n"),
            "{said}"
        );
        assert!(said.contains("\r\nConnection: close\r\n"), "{said}");
        assert!(said.contains("\r\nContent-Type: text/plain\r\n"), "{said}");
        assert!(body(&said).starts_with("ERROR"), "{said}");
    }
    let not_allowed = server.call("PUT /a HTTP/1.1\r\n\r\n").await;
    assert!(not_allowed.contains("\r\nAllow: GET, HEAD, POST\r\n"));
    assert_eq!(server.whole(), ["GET /teapot  0 "]);
    server.ends_well().await;
}

#[tokio::test]
async fn what_is_no_http_is_closed() {
    let server = Server::start().await;
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x5e\x0a\x0d\x0a\x0d\x0a\x00GET / HTTP/1.1\r\n\r\n";
    assert_eq!(server.call(hello).await, "");
    assert_eq!(server.call([0_u8; 40_000]).await, "");
    assert_eq!(server.call("hello?\r\n\r\n").await, "");
    let mut quiet = server.connect().await;
    within(quiet.0.shutdown()).await.expect("shut");
    assert_eq!(quiet.rest().await, "");
    assert_eq!(server.whole(), [""; 0]);
    server.ends_well().await;
}

/// However the network cuts it, a request is the same; its body is not touched, whatever it looks like.
#[tokio::test]
async fn every_cut_gives_the_same() {
    let server = Server::start().await;
    let looks_like_a_head = "GET /a b HTTP/1.1\r\n\r\n";
    let length = looks_like_a_head.len();
    let request = format!(
        "GET /a?b c HTTP/1.1\r\n\r\n\
        POST /a?d e HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{looks_like_a_head}\
        POST /a?f g HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{length:x};x=y\r\n{looks_like_a_head}\r\n1\r\n\n\r\n0\r\nT: x\r\n\r\n\
        GET /end?h i HTTP/1.0\r\n\r\n"
    );
    let expected = [
        "GET /a b%20c 0 ".to_owned(),
        format!("POST /a d%20e {length} {looks_like_a_head}"),
        format!("POST /a f%20g {} {looks_like_a_head}\n", length + 1),
        "GET /end h%20i 0 ".to_owned(),
    ];
    for cut in 0..request.len() {
        let mut caller = server.connect().await;
        caller.0.set_nodelay(true).expect("an option");
        caller.send(&request[..cut]).await;
        tokio::task::yield_now().await;
        caller.send(&request[cut..]).await;
        let said = caller.rest().await;
        let answers = said.split("HTTP/1.").skip(1).collect::<Vec<_>>();
        assert!(said.ends_with(&expected[3]), "{cut}: {said}");
        assert!(answers.len() >= 4, "{cut}: {said}");
        let whole = std::mem::take(&mut *server.seen.whole.lock().expect("a lock"));
        assert_eq!(whole, expected, "cut at {cut}");
    }
    let mut caller = server.connect().await;
    caller.0.set_nodelay(true).expect("an option");
    for byte in request.as_bytes() {
        caller.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(caller.rest().await.ends_with(&expected[3]));
    assert_eq!(server.whole(), expected);
    server.ends_well().await;
}

#[tokio::test]
async fn a_connection_is_kept_for_who_can_keep_it() {
    let server = Server::start().await;
    let mut caller = server.connect().await;
    for connection in ["", "Connection: keep-alive\r\n"] {
        caller
            .send(format!("GET /a HTTP/1.1\r\n{connection}\r\n"))
            .await;
        let said = caller.until("GET /a  0 ").await;
        assert!(!said.contains("Connection"), "{said}");
    }
    // The second one is sent before the first one is answered; both are, in order, and then it ends.
    caller
        .send("GET /slow?1 HTTP/1.1\r\n\r\nGET /b?2 2 HTTP/1.1\r\nConnection: starting\r\n\r\nGET /c HTTP/1.1\r\n\r\n")
        .await;
    server.seen.gate.add_permits(1);
    let said = caller.rest().await;
    let first = said.find("GET /slow 1 0 ").expect("the first answer");
    let second = said.find("GET /b 2%202 0 ").expect("the second answer");
    assert!(first < second && !said.contains("/c"), "{said}");
    for (request, answered) in [
        (
            "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "GET /a  0 ",
        ),
        ("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /a  0 "),
        (
            "GET /a HTTP/1.1\r\nConnection: starting\r\n\r\n",
            "GET /a  0 ",
        ),
    ] {
        let said = server.call([request, request].concat()).await;
        assert_eq!(body(&said), answered);
        assert!(said.contains("\r\nConnection: close\r\n"), "{said}");
    }
    server.ends_well().await;
}

#[tokio::test]
async fn a_body_may_wait_for_leave() {
    let server = Server::start().await;
    let mut caller = server.connect().await;
    caller
        .send("POST /a HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(
        caller.until("\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    caller.send("abc").await;
    assert_eq!(body(&caller.rest().await), "POST /a  3 abc");
    let mut unknown = server.connect().await;
    unknown
        .send("POST /unknown HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(status(&unknown.rest().await), "503");
    server.ends_well().await;
}

/// It reads the answer although nobody read what it sent.
#[tokio::test]
async fn who_is_refused_gets_the_answer() {
    let server = Server::start().await;
    let body_sent = "x".repeat(60_000);
    let head = format!("Content-Length: {}\r\n\r\n", body_sent.len());
    for (path, expected) in [("/unknown", "503"), ("/small", "413")] {
        let mut caller = server.connect().await;
        caller.send(format!("POST {path} HTTP/1.1\r\n{head}")).await;
        let answer = caller.until("\r\n\r\n").await;
        assert_eq!(status(&answer), expected);
        let text = caller.rest().await;
        assert!(text.starts_with("ERROR"), "{text}");
        // Nobody resets the connection under what is still sent.
        for part in body_sent.as_bytes().chunks(1000) {
            caller.send(part).await;
        }
    }
    let said = server
        .call(format!("POST /unknown HTTP/1.1\r\n{head}{body_sent}"))
        .await;
    assert!(said.contains("\r\nRetry-After: 60\r\n"), "{said}");
    assert_eq!(body(&said), "ERROR: device not approved");
    assert_eq!(server.whole(), [""; 0]);
    server.ends_well().await;
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_none() {
    let server = Server::start().await;
    for request in [
        "POST /a HTTP/1.1\r\nContent-Length: 70\r\n\r\n1001\t2026-11-22 08:00:00\t0\t1\n",
        "POST /a HTTP/1.1\r\nContent-Length: 70\r\n\r\n",
        "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
    ] {
        let mut caller = server.connect().await;
        caller.send(request).await;
        within(caller.0.shutdown()).await.expect("shut");
        let said = caller.rest().await;
        assert_eq!(
            (status(&said), body(&said)),
            ("400", "ERROR: short body\n"),
            "{request:?}"
        );
        let mut gone = server.connect().await;
        gone.send(request).await;
    }
    let mut head = server.connect().await;
    head.send("POST /a HTTP/1.1\r\nContent-Le").await;
    within(head.0.shutdown()).await.expect("shut");
    assert_eq!(head.rest().await, "");
    // Who sent everything and shut only its own side is answered.
    let mut half = server.connect().await;
    half.send("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    within(half.0.shutdown()).await.expect("shut");
    assert_eq!(body(&half.rest().await), "POST /a  3 abc");
    assert_eq!(server.whole(), ["POST /a  3 abc"]);
    server.ends_well().await;
}

#[tokio::test]
async fn every_wait_has_an_end() {
    #[track_caller]
    fn check(said: &str, expected: &str) {
        assert_eq!(status(said), expected, "{said}");
    }
    let server = Server::limited(|limits| limits.head = SHORT).await;
    assert_eq!(server.call("").await, "", "nothing came");
    check(&server.call("GET / HT").await, "408");
    let said = server.call("GET /a HTTP/1.1\r\n\r\nGET / HT").await;
    assert!(said.contains("GET /a  0 HTTP/1.1 408 "), "{said}");
    assert_eq!(server.whole(), ["GET /a  0 "]);
    let server = Server::limited(|limits| limits.body = SHORT).await;
    let head = "POST /a HTTP/1.1\r\nContent-Length: 70\r\n\r\n";
    check(&server.call(format!("{head}abc")).await, "408");
    let chunked = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    check(&server.call(chunked).await, "408");
    assert_eq!(server.whole(), [""; 0]);
    let server = Server::limited(|limits| limits.idle = SHORT).await;
    let said = server.call("GET /a HTTP/1.1\r\n\r\n").await;
    assert_eq!(body(&said), "GET /a  0 ");
    let server = Server::limited(|limits| limits.answer = SHORT).await;
    for path in ["/never", "/never-decided"] {
        check(
            &server.call(format!("GET {path} HTTP/1.0\r\n\r\n")).await,
            "503",
        );
    }
    let server = Server::limited(|limits| limits.write = SHORT).await;
    let mut deaf = server.connect().await;
    deaf.send("GET /large HTTP/1.1\r\n\r\n").await;
    server.stop.send(()).expect("it runs");
    within(server.task)
        .await
        .expect("it does not wait for who takes no answer");
    assert!(deaf.rest().await.len() < 32 * 1024 * 1024);
}

/// A body that trickles does not gain time by each byte.
#[tokio::test]
async fn trickling_gains_no_time() {
    let server =
        Server::limited(|limits| (limits.head, limits.body, limits.linger) = (SHORT, SHORT, SHORT))
            .await;
    for head in ["", "POST /a HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n"] {
        let mut caller = server.connect().await;
        // What was sent to a closed connection fails sooner or later.
        let trickle = async {
            let _ = caller.0.write_all(head.as_bytes()).await;
            while caller.0.write_all(b"G").await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        within(trickle).await;
    }
    assert_eq!(server.whole(), [""; 0]);
    server.ends_well().await;
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let server = Server::start().await;
    for path in ["/panic", "/panic-early"] {
        let said = server.call(format!("GET {path} HTTP/1.1\r\n\r\n")).await;
        assert_eq!((status(&said), body(&said)), ("500", "ERROR: internal"));
    }
    server.ends_well().await;
}

/// The quick one is answered while the slow ones are still writing.
#[tokio::test]
async fn slow_ones_hold_up_nobody() {
    let server = Server::limited(|_| {}).await;
    let mut slow = Vec::new();
    for number in 0..200 {
        let mut caller = server.connect().await;
        let begin = match number % 3 {
            0 => "POST /a HT",
            1 => "POST /a HTTP/1.1\r\nConnection: close\r\nContent-Length: 4000000\r\n\r\nab",
            _ => {
                "POST /a HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na"
            }
        };
        caller.send(begin).await;
        slow.push(caller);
    }
    let said = server.call("GET /quick HTTP/1.0\r\n\r\n").await;
    assert_eq!(body(&said), "GET /quick  0 ");
    let rest = [
        "TP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "c".repeat(3_999_998),
        "bc\r\n0\r\n\r\n".to_owned(),
    ];
    for (number, caller) in slow.iter_mut().enumerate().take(9) {
        caller.send(&rest[number % 3]).await;
        let said = caller.rest().await;
        assert!(body(&said).starts_with("POST /a  "), "{said}");
    }
    drop(slow);
    assert_eq!(server.whole().len(), 10);
    server.ends_well().await;
}

#[tokio::test]
async fn bodies_take_a_bounded_room() {
    let server = Server::limited(|limits| limits.bodies = 64 * 1024).await;
    let large = "x".repeat(200_000);
    let head = "POST /a HTTP/1.1\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n";
    // What is only announced takes none.
    let mut announced = Vec::new();
    for _ in 0..10 {
        let mut caller = server.connect().await;
        caller.send(head).await;
        announced.push(caller);
    }
    let small = "POST /slow HTTP/1.1\r\nConnection: close\r\nContent-Length: 40000\r\n\r\n";
    let mut holder = server.connect().await;
    holder.send(format!("{small}{}", &large[..40_000])).await;
    let arrived = async {
        while server.whole().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    within(arrived).await;
    let said = server.call(format!("{small}{}", &large[..40_000])).await;
    assert_eq!((status(&said), body(&said)), ("503", "ERROR: busy"));
    assert!(said.contains("\r\nRetry-After: 30\r\n"), "{said}");
    server.seen.gate.add_permits(9);
    assert_eq!(status(&holder.rest().await), "200");
    // Given back with the answer, and by whoever went away.
    drop(announced);
    for _ in 0..5 {
        let said = server.call(format!("{small}{}", &large[..40_000])).await;
        assert_eq!(status(&said), "200");
    }
    server.ends_well().await;
}

#[tokio::test]
async fn connections_are_bounded_and_the_idle_make_room() {
    let server = Server::limited(|limits| limits.connections_per_address = 3).await;
    let mut idle = server.connect().await;
    idle.send("GET /a HTTP/1.1\r\n\r\n").await;
    idle.until("GET /a  0 ").await;
    let mut busy = Vec::new();
    for number in 1..=3 {
        let mut caller = server.connect().await;
        caller
            .send("GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n")
            .await;
        let arrived = async {
            while server.whole().len() < number + 1 {
                tokio::task::yield_now().await;
            }
        };
        within(arrived).await;
        busy.push(caller);
    }
    assert_eq!(idle.rest().await, "", "the idle one made room");
    let said = server.connect().await.rest().await;
    assert_eq!(status(&said), "503");
    assert!(
        said.contains("\r\nretry-after: 30\r\n") && said.contains("\r\ndate: "),
        "{said}"
    );
    server.seen.gate.add_permits(3);
    for caller in &mut busy {
        assert_eq!(status(&caller.rest().await), "200");
    }
    server.ends_well().await;
}

#[tokio::test]
async fn only_named_networks_may_call() {
    let options = |network: &str| PushListenerOptions {
        networks: vec![network.parse().expect("a network")],
        ..PushListenerOptions::default()
    };
    let server = Server::with(options("10.0.0.0/8")).await;
    assert_eq!(server.call("GET /a HTTP/1.0\r\n\r\n").await, "");
    assert_eq!(server.whole(), [""; 0]);
    Server::with(options("127.0.0.0/8")).await.ends_well().await;
}

#[tokio::test]
async fn stopping_answers_what_is_under_way() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    idle.send("GET /a HTTP/1.1\r\n\r\n").await;
    idle.until("GET /a  0 ").await;
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\n\r\n").await;
    let arrived = async {
        while server.whole().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    within(arrived).await;
    server.stop.send(()).expect("it runs");
    assert_eq!(idle.rest().await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    server.seen.gate.add_permits(1);
    let said = busy.rest().await;
    assert_eq!(body(&said), "GET /slow  0 ");
    within(server.task).await.expect("it ends");
}

#[tokio::test]
async fn several_addresses_or_none() {
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let six: SocketAddr = "[::1]:0".parse().expect("an address");
    let listener = PushListener::bind(&[any, any]).await.expect("ports");
    let addresses = listener.addresses();
    let taken = PushListener::bind(&[six, addresses[1]]).await;
    let error = taken.map(|_| ()).expect_err("a taken port");
    let text = format!("cannot listen on {} for terminals that call", addresses[1]);
    assert_eq!(error.to_string(), text);
    let clock = Clock::stopped(Timestamp::UNIX_EPOCH);
    let options = PushListenerOptions::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let seen = Arc::new(Seen {
        whole: Mutex::default(),
        gate: Semaphore::new(0),
    });
    let serving = listener.serve(Echo(seen), clock, options, async {
        let _ = stopped.await;
    });
    let serving = tokio::spawn(serving);
    for address in addresses.into_iter().flat_map(|address| [address; 3]) {
        let mut caller = Caller(TcpStream::connect(address).await.expect("a connection"));
        caller.send("GET /unknown HTTP/1.1\r\n\r\n").await;
        let said = caller.rest().await;
        assert_eq!(status(&said), "503");
        assert!(
            said.contains("\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
            "{said}"
        );
    }
    stop.send(()).expect("it runs");
    within(serving).await.expect("it ends");
}
