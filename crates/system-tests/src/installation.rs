//! A fresh installation of Muster as a user has it: a folder with `muster.toml` and the real binary beside it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use store::testing::PostgresDatabase;

/// How long a server may take until it listens, on a machine that is busy with other tests.
const START_LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A folder, a database and a secret key. Removed with the value, but for the PostgreSQL database: see [`Installation::remove`].
#[derive(Debug)]
pub struct Installation {
    folder: tempfile::TempDir,
    url: String,
    postgres: Option<PostgresDatabase>,
    /// The link that creates the owner account, as `muster init` printed it, without the host.
    pub setup_path: String,
}

/// A running `muster serve`, killed with the value.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// `http://127.0.0.1:PORT`
    pub base: String,
}

impl Installation {
    /// Runs `muster init` in a new folder.
    pub async fn new(database: Database) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(PostgresDatabase::create().await),
        };
        let url = match &postgres {
            None => format!("sqlite://{}", folder.path().join("muster.db").display()),
            Some(database) => database.url.clone(),
        };
        let mut new = Self {
            folder,
            url,
            postgres,
            setup_path: String::new(),
        };
        let printed = new.run_ok(&["init"]);
        let link = printed
            .split_whitespace()
            .find(|word| word.contains("/setup/"))
            .expect("init prints a link");
        new.setup_path = link[link.find("/setup/").expect("just found")..].to_owned();
        new
    }

    /// Drops the PostgreSQL database, if there is one.
    pub async fn remove(self) {
        if let Some(database) = self.postgres {
            database.remove().await;
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn database_url(&self) -> &str {
        &self.url
    }

    /// A command of the binary in this installation.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.prepared(Command::new(binary()));
        command.args(args);
        command
    }

    fn prepared(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder.path())
            .env("MUSTER_DATABASE", &self.url)
            // The default port is one, and tests run side by side.
            .env("MUSTER_PUSH_LISTEN", "");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args)
            .output()
            .expect("the binary can be started")
    }

    /// Runs a command that must succeed, and returns what it printed.
    #[track_caller]
    pub fn run_ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(
            output.status.success(),
            "muster {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a command that must succeed with `input` on its standard input.
    #[track_caller]
    pub fn run_ok_with_input(&self, args: &[&str], input: &str) -> String {
        let mut process = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        process
            .stdin
            .take()
            .expect("piped")
            .write_all(input.as_bytes())
            .expect("the command reads its input");
        let output = process.wait_with_output().expect("the command ends");
        assert!(
            output.status.success(),
            "muster {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// Starts the server on a free port and waits until it listens.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// The same with environment variables.
    pub fn serve_with(&self, variables: &[(&str, &str)]) -> Server {
        start(self.command(SERVE), variables)
    }

    /// The same by another program, which runs the server in its place: a tracer.
    pub fn serve_by(&self, by: Command, variables: &[(&str, &str)]) -> Server {
        let mut command = self.prepared(by);
        command.arg(binary()).args(SERVE);
        start(command, variables)
    }
}

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

fn start(mut command: Command, variables: &[(&str, &str)]) -> Server {
    let mut process = command
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be started");
    let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let (found, base) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some(url) = line
                .split_whitespace()
                .find(|word| word.starts_with("http://127.0.0.1:"))
            {
                let _ = found.send(url.trim_end_matches('/').to_owned());
            }
        }
    });
    match base.recv_timeout(START_LIMIT) {
        Ok(base) => Server { process, base },
        Err(_) => {
            let _ = process.kill();
            panic!(
                "the server did not say where it listens; it ended with {:?}",
                process.wait()
            );
        }
    }
}

impl Server {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill().expect("it was running");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address of this machine where nobody listens now, to listen there again and again.
pub fn free_port() -> std::net::SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("it is bound")
}

/// The binary that cargo built beside this test.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests lie in target/PROFILE/deps");
    let binary = profile.join("muster");
    assert!(
        binary.is_file(),
        "{} is missing: run `cargo xtask test`, or `cargo build` first",
        binary.display()
    );
    binary
}
