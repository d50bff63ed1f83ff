//! Drives a real Chromium over its own protocol (CDP).
//!
//! Only what the journeys need: open a page, wait for an expression, click, fill, take a picture. A full CDP crate would
//! add minutes of generated code to every cold build.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

const START_LIMIT: Duration = Duration::from_secs(30);
const CALL_LIMIT: Duration = Duration::from_secs(30);

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// One headless Chromium with a profile of its own, ended with the value.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    calls: mpsc::UnboundedSender<String>,
    waiting: Waiting,
    next_id: std::sync::atomic::AtomicU64,
    _profile: tempfile::TempDir,
}

/// One tab.
#[derive(Debug)]
pub struct Page<'a> {
    browser: &'a Browser,
    session: String,
}

impl Browser {
    pub async fn start() -> Self {
        let program = std::env::var_os("MUSTER_TEST_CHROMIUM")
            .expect("MUSTER_TEST_CHROMIUM is not set: run `cargo xtask test`, which finds or installs Chromium");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let process = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-quic",
            ])
            .args([
                "--remote-debugging-port=0",
                "--window-size=1440,1500",
                "about:blank",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium starts");
        let url = debugger_url(profile.path()).await;
        let (socket, _) = tokio_tungstenite::connect_async(&url)
            .await
            .expect("Chromium's debugger accepts");
        let (mut outgoing, mut incoming) = socket.split();
        let (calls, mut to_send) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move {
            while let Some(text) = to_send.recv().await {
                if outgoing.send(Message::text(text)).await.is_err() {
                    break;
                }
            }
        });
        let waiting = Waiting::default();
        let answers = waiting.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = incoming.next().await {
                let Ok(text) = message.into_text() else {
                    continue;
                };
                let Ok(value) = serde_json::from_str::<Value>(&text) else {
                    continue;
                };
                if let Some(id) = value["id"].as_u64()
                    && let Some(caller) = answers.lock().expect("not poisoned").remove(&id)
                {
                    let _ = caller.send(value);
                }
            }
        });
        Self {
            process,
            calls,
            waiting,
            next_id: 1.into(),
            _profile: profile,
        }
    }

    /// Opens a tab and waits until `url` has loaded.
    pub async fn open(&self, url: &str) -> Page<'_> {
        let target = self
            .call(None, "Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attached = self
            .call(
                None,
                "Target.attachToTarget",
                json!({"targetId": target["targetId"], "flatten": true}),
            )
            .await;
        let session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        let page = Page {
            browser: self,
            session,
        };
        page.goto(url).await;
        page
    }

    async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self
            .next_id
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting
            .lock()
            .expect("not poisoned")
            .insert(id, sender);
        let mut call = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        self.calls
            .send(call.to_string())
            .expect("the debugger is connected");
        let answer = tokio::time::timeout(CALL_LIMIT, answer).await;
        let mut answer = answer
            .unwrap_or_else(|_| panic!("{method} was not answered"))
            .expect("the debugger is connected");
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Page<'_> {
    /// Follows a link typed into the address bar, and waits for the new document.
    pub async fn goto(&self, url: &str) {
        self.evaluate("window.beforeMove = true").await;
        let moved = self.call("Page.navigate", json!({"url": url})).await;
        assert!(
            moved["errorText"].is_null(),
            "{url}: {}",
            moved["errorText"]
        );
        self.wait_until(
            "!window.beforeMove && document.readyState === 'complete'",
            Duration::from_secs(20),
        )
        .await;
    }

    /// The value of a JavaScript expression; a promise is awaited.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", params).await;
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].take()
    }

    /// The visible text of the first element that matches.
    pub async fn text(&self, selector: &str) -> String {
        let found = self
            .evaluate(&format!(
                "document.querySelector({})?.innerText ?? null",
                quoted(selector)
            ))
            .await;
        found
            .as_str()
            .unwrap_or_else(|| panic!("nothing matches {selector}"))
            .to_owned()
    }

    /// Waits until a JavaScript condition holds, and says how long it took.
    pub async fn wait_until(&self, condition: &str, limit: Duration) -> Duration {
        let began = Instant::now();
        loop {
            // A document that is being replaced cannot answer; that is only "not yet".
            let params =
                json!({"expression": format!("Boolean({condition})"), "returnByValue": true});
            let answer = self.call("Runtime.evaluate", params).await;
            if answer["result"]["value"] == true {
                return began.elapsed();
            }
            if began.elapsed() > limit {
                let text = self.evaluate("document.body.innerText").await;
                panic!(
                    "not within {limit:?}: {condition}\nthe page says:\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn wait_for_text(&self, text: &str, limit: Duration) -> Duration {
        self.wait_until(
            &format!("document.body.innerText.includes({})", quoted(text)),
            limit,
        )
        .await
    }

    pub async fn fill(&self, selector: &str, value: &str) {
        let script = format!(
            "(() => {{ const field = document.querySelector({}); field.value = {}; \
             field.dispatchEvent(new Event('input', {{bubbles: true}})); \
             field.dispatchEvent(new Event('change', {{bubbles: true}})); return true; }})()",
            quoted(selector),
            quoted(value)
        );
        self.evaluate(&script).await;
    }

    pub async fn click(&self, selector: &str) {
        let click = format!(
            "(() => {{ const e = document.querySelector({}); e?.click(); return !!e; }})()",
            quoted(selector)
        );
        assert_eq!(
            self.evaluate(&click).await,
            true,
            "nothing to click at {selector}"
        );
    }

    /// Writes what the tab shows as PNG.
    pub async fn screenshot(&self, path: &Path) {
        let shot = self
            .call(
                "Page.captureScreenshot",
                json!({"format": "png", "captureBeyondViewport": true}),
            )
            .await;
        let data = shot["data"].as_str().expect("a picture");
        std::fs::write(
            path,
            base64::engine::general_purpose::STANDARD
                .decode(data)
                .expect("base64"),
        )
        .expect("the picture can be written");
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(Some(&self.session), method, params).await
    }
}

/// Chromium writes its port and path into its profile once it listens.
async fn debugger_url(profile: &Path) -> String {
    let file: PathBuf = profile.join("DevToolsActivePort");
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if let Some((port, path)) = text.trim().split_once('\n') {
            return format!("ws://127.0.0.1:{port}{path}");
        }
        assert!(
            began.elapsed() < START_LIMIT,
            "Chromium did not open its debugger"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
