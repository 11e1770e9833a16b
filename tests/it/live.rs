//! What tests of live systems share: a server that answers as the test says, and a folder with a
//! configuration file to run the command in.

use std::path::Path;
use std::process::Output;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::Value;

/// Serves `router` on a port of its own; its address.
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The answer `code` with JSON.
pub fn said(code: StatusCode, body: Value) -> Response<Body> {
    let answer = Response::builder().status(code).header("content-type", "application/json");
    answer.body(Body::from(body.to_string())).expect("an answer")
}

/// The first half of `text`, and then the connection is gone.
pub fn cut_off(text: &str) -> Body {
    let half = text.as_bytes()[..text.len() / 2].to_vec();
    Body::from_stream(futures::stream::iter([Ok(half), Err(std::io::Error::other("gone"))]))
}

/// A folder with a lake and a configuration file.
pub struct Folder {
    folder: tempfile::TempDir,
    secret: &'static str,
}

impl Folder {
    /// One whose variable `SECRET` is `secret`, which no output may hold.
    pub fn new(secret: &'static str) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), secret }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the configuration file.
    pub fn configure(&self, config: &str) {
        std::fs::write(self.path().join("runrate.toml"), config).expect("writes");
    }

    /// Runs the command with `words`.
    pub async fn run(&self, words: &[&str]) -> Output {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_runrate"))
            .args(["--config", "runrate.toml", "--lake", "lake"])
            .args(words)
            .current_dir(self.path())
            .env("SECRET", self.secret)
            .env("NO_PROXY", "127.0.0.1")
            .env("RUST_LOG", "runrate=debug,hyper=debug,reqwest=debug")
            .output()
            .await
            .expect("runs");
        assert!(!text(&output).contains(self.secret), "{}", text(&output));
        output
    }

    /// Runs the command with `words`, which ends with `code`; what it says.
    pub async fn told(&self, words: &[&str], code: i32) -> String {
        let output = self.run(words).await;
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&output));
        text(&output)
    }

    /// The rows of `sql` as CSV, one space between them.
    pub async fn rows(&self, sql: &str) -> String {
        let output = self.run(&["query", sql, "--format", "csv"]).await;
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout).lines().skip(1).collect::<Vec<_>>().join(" ")
    }
}

/// Both outputs.
pub fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}
