//! A server in a process of its own, whose memory and end can be looked at.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runrate::server::roles;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::harness::{PASSWORD, ROLE, until};

/// `runrate serve` over an empty lake; killed when dropped.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    pub http: SocketAddr,
    pub folder: TempDir,
}

impl Served {
    /// Starts one with `settings` (`RUNRATE_` variables without their prefix).
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), settings)
    }

    /// The same, with files that are in `folder`.
    pub fn start_in(folder: TempDir, settings: &[(&str, &str)]) -> Self {
        let lake = folder.path().join("lake");
        roles::add(&lake.join("_roles"), ROLE, PASSWORD).expect("a role");
        // Another binary, where one is published that was not built beside this test.
        let binary = std::env::var("RUNRATE_BIN");
        let binary = binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_runrate").to_owned());
        let mut command = Command::new(binary);
        command.arg("serve").env("RUNRATE_LAKE", &lake).env_remove("RUNRATE_BIN");
        command.env("RUNRATE_LISTEN", "127.0.0.1:0").env("RUNRATE_HTTP", "127.0.0.1:0");
        for (name, value) in settings {
            command.env(format!("RUNRATE_{}", name.to_uppercase()), value);
        }
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut child =
            command.stdout(Stdio::piped()).stderr(log).spawn().expect("the server starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let value = |name: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            word.and_then(|text| text.strip_prefix('=')?.parse().ok()).expect("ready and where")
        };
        Self { address: value("postgres"), http: value("http"), child, folder }
    }

    /// A client of `role`, logged in.
    pub async fn client(&self, role: &str) -> tokio_postgres::Client {
        let port = self.address.port();
        let config =
            format!("host=127.0.0.1 port={port} user={role} password='{PASSWORD}' dbname=runrate");
        let (client, connection) =
            tokio_postgres::connect(&config, NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    /// The most memory it held (bytes).
    pub fn peak_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("the process lives");
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") << 10
    }

    /// Sends it a signal such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status()
            .expect("a shell");
        assert!(sent.success());
    }

    /// Its exit code, when it has ended by itself within `limit`.
    pub fn ended(&mut self, limit: Duration) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return Some(status.code().expect("a code and no signal"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        read(&self.folder.path().join("log"))
    }

    /// Its audit file.
    pub fn audit(&self) -> String {
        read(&self.folder.path().join("lake/_audit/audit.jsonl"))
    }

    /// Its audit file once it says `mark`: lines are written behind what they tell of.
    pub async fn audited(&self, mark: &str) -> String {
        until(mark, async || Some(self.audit()).filter(|text| text.contains(mark))).await
    }

    /// The status line and the body of `path` over HTTP.
    pub fn get(&self, path: &str) -> String {
        get(self.http, path).expect("an answer")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The answer to GET `path`; `None` if nobody answers.
pub fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    Some(answer)
}
