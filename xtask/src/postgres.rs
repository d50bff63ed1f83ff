//! A throw-away PostgreSQL cluster in a temporary folder, stopped and removed with the value, or when we end in any other way.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::tools::{self, PostgresTools};

/// Runs the server until its standard input ends, then stops it and removes its folder. The other end of that pipe is ours, and
/// the system closes it however we end: at the end of the tests, by Ctrl-C, or killed. SIGQUIT is PostgreSQL's immediate shutdown.
const KEEPER: &str = r#"
folder=$1; shift
"$@" >"$folder/server.log" 2>&1 </dev/null &
server=$!
read -r _
kill -QUIT "$server" 2>/dev/null
wait "$server"
cd / && rm -rf -- "$folder"
"#;

pub struct Cluster {
    keeper: Child,
    port: u16,
    folder: PathBuf,
}

impl Cluster {
    /// Makes and starts a cluster on a free loopback port, for tests: nothing in it outlives the run, so nothing waits for the
    /// disk. As root it runs as user `postgres`, because PostgreSQL refuses root.
    ///
    /// # Errors
    /// When initdb or the server fails; the message carries the server's log.
    pub fn start(programs: &PostgresTools) -> anyhow::Result<Self> {
        Self::with(
            programs,
            &[
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
                "-c",
                "full_page_writes=off",
            ],
        )
    }

    /// The same for measurements: every commit is on the disk, as with a company's own server.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn durable(programs: &PostgresTools) -> anyhow::Result<Self> {
        Self::with(programs, &[])
    }

    fn with(programs: &PostgresTools, settings: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("muster-postgres-")
            .tempdir()
            .context("no temporary folder")?;
        let data = folder.path().join("data");
        let owner = if tools::is_root() {
            Some(postgres_user()?)
        } else {
            None
        };
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group))?;
        }
        let as_owner = |program: &Path| {
            let mut command = Command::new(program);
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command.current_dir(folder.path());
            command
        };

        let made = as_owner(&programs.initdb)
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--pgdata",
            ])
            .arg(&data)
            .output()
            .context("initdb cannot be started")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let port = free_port()?;
        // Many tests each hold a few connections.
        let keeper = as_owner(Path::new("/bin/sh"))
            .args(["-c", KEEPER, "keeper"])
            .arg(folder.path())
            .arg(&programs.postgres)
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()])
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-c",
                "max_connections=300",
            ])
            .args(settings)
            .process_group(0) // out of reach of Ctrl-C, which would end the keeper before its work
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("the PostgreSQL server cannot be started")?;
        let cluster = Self {
            keeper,
            port,
            folder: folder.keep(), // the keeper removes it
        };
        cluster.wait_until_ready().with_context(|| cluster.log())?;
        Ok(cluster)
    }

    /// Where an administrator connects; tests make a database each.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            // The last line of the pid file turns to "ready" when the server accepts connections.
            let pid_file = std::fs::read_to_string(self.folder.join("data/postmaster.pid"))
                .unwrap_or_default();
            if pid_file
                .lines()
                .nth(7)
                .is_some_and(|state| state.trim() == "ready")
            {
                return Ok(());
            }
            // Nobody has connected yet, so whatever is fatal now ends the start.
            if self.log().contains("FATAL:") {
                bail!("the PostgreSQL server stopped at its start");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the PostgreSQL server was not ready within 60 s")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Ends its standard input, and with it everything else.
        let _ = self.keeper.wait();
    }
}

fn postgres_user() -> anyhow::Result<(u32, u32)> {
    tools::user_id(Some("postgres"))
        .zip(tools::group_id("postgres"))
        .context("there is no user `postgres` to run the throw-away cluster as; run as another user than root")
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
