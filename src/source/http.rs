//! Calls to a system over HTTP that are made again when it is worth it, and errors otherwise.
//!
//! An expired token is renewed once; a server that asks to wait is waited for; errors of the server,
//! broken connections and timeouts are met with longer and longer pauses.
//! A body that ends before its stated length is a broken connection, never a shorter answer.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{DATE, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::system::Wanted;
use crate::config::{Secret, SourceConfig};
use crate::error::{Error, Result};

/// Attempts of one call.
const ATTEMPTS_MAX: u32 = 6;
/// First pause between attempts; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause that a server may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Bytes of an answer that a message quotes.
const QUOTED_BYTES: usize = 300;

/// How a token is got.
#[derive(Debug, Clone)]
pub enum Grant {
    /// It was given once and lasts.
    Token(Secret),
    /// It is asked for, and asked for again when it expires.
    Asked {
        /// Where tokens are given.
        url: Url,
        /// Id of the application.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// A person's lasting consent; without it the application acts for itself.
        refresh_token: Option<Secret>,
    },
}

impl Grant {
    /// That of the application which `source`, called `name`, names; tokens are given at `path`.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Credential`] for a secret that is missing or not to be trusted.
    pub fn asked(name: &str, source: &SourceConfig, base: &Url, path: &str) -> Result<Self> {
        Ok(Self::Asked {
            url: base.join(path).unwrap_or_else(|_| base.clone()),
            client_id: source.client_id.clone().unwrap_or_default(),
            client_secret: source.client_secret(name)?,
            refresh_token: source.refresh_token(name)?,
        })
    }
}

/// A system that answers over HTTP.
pub struct Api {
    /// Name for messages.
    pub system: String,
    client: Client,
    base: Url,
    grant: Grant,
    overlap: TimeDelta,
    token: Option<Secret>,
    clock: Option<DateTime<Utc>>,
}

impl Api {
    /// The system that `source`, called `name`, is at.
    ///
    /// # Errors
    /// [`Error::Setting`] for a URL that is none or would send secrets in clear; those of `grant`.
    pub fn new(
        name: &str,
        source: &SourceConfig,
        grant: impl FnOnce(&Url) -> Result<Grant>,
    ) -> Result<Self> {
        let bad = |reason: String| Error::Setting {
            key: format!("source.{name}.location"),
            origin: "file".into(),
            reason,
        };
        let base = source.location.all().first().copied().unwrap_or_default();
        let base = Url::parse(base).map_err(|e| bad(format!("is not a URL: {e}")))?;
        let is_here = matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if base.scheme() != "https" && !(base.scheme() == "http" && is_here) {
            return Err(bad("must begin with https://".into()));
        }
        let patience = Duration::from_millis(source.timeout_ms.into());
        let client = Client::builder().connect_timeout(patience).read_timeout(patience);
        // A redirect could carry the token to somebody else.
        let client = client.redirect(reqwest::redirect::Policy::none());
        let client = client.build().map_err(|e| bad(e.to_string()))?;
        let grant = grant(&base)?;
        let system = format!("source {name}");
        let overlap = TimeDelta::minutes(source.overlap_minutes.into());
        Ok(Self { system, client, base, grant, overlap, token: None, clock: None })
    }

    /// The moment that changes are read from: that of the last copy, less the overlap.
    ///
    /// # Errors
    /// [`Error::System`] for a moment that was not kept as one.
    pub fn since(&self, wanted: &Wanted) -> Result<Option<DateTime<Utc>>> {
        let Some(since) = &wanted.since else { return Ok(None) };
        let since = DateTime::parse_from_rfc3339(since).map_err(|e| self.failed("go on", e))?;
        Ok(Some(since.with_timezone(&Utc) - self.overlap))
    }

    /// When the last answer was given, by the clock of the system, if it says so.
    pub fn clock(&self) -> Option<DateTime<Utc>> {
        self.clock
    }

    /// Calls `path` and gives the answer if it is a success or, with `accepted`, that status.
    ///
    /// # Errors
    /// [`Error::System`] when all attempts failed, or for an answer that is no use trying again.
    pub async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        accepted: Option<StatusCode>,
    ) -> Result<Response> {
        let url = self.base.join(path).map_err(|e| self.failed("call", e))?;
        let mut is_renewed = false;
        for attempt in 1.. {
            let token = self.token().await?;
            let mut request = self.client.request(method.clone(), url.clone());
            request = request.bearer_auth(token.expose());
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = self.attempt(request, attempt).await?;
            let date = answer.as_ref().and_then(|a| a.headers().get(DATE)?.to_str().ok());
            let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
            self.clock = date.map(|at| at.with_timezone(&Utc)).or(self.clock);
            match answer {
                Some(answer) if answer.status() == StatusCode::UNAUTHORIZED && !is_renewed => {
                    (self.token, is_renewed) = (None, true);
                }
                Some(answer) if answer.status().is_success() => return Ok(answer),
                Some(answer) if Some(answer.status()) == accepted => return Ok(answer),
                Some(answer) => return Err(self.refused(path, answer).await),
                None => {}
            }
        }
        Err(self.failed("call", std::io::Error::other("no attempt was made")))
    }

    /// The answer of a call as JSON, and `None` for the status `accepted`; read to its end or made again.
    ///
    /// # Errors
    /// Those of [`Self::call`].
    pub async fn json(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        accepted: Option<StatusCode>,
    ) -> Result<Option<Value>> {
        for attempt in 1.. {
            let answer = self.call(method.clone(), path, body, accepted).await?;
            if Some(answer.status()) == accepted {
                return Ok(None);
            }
            match answer.bytes().await {
                Ok(bytes) => {
                    let value = serde_json::from_slice(&bytes);
                    return value.map(Some).map_err(|e| self.failed("read an answer", e));
                }
                Err(error) => self.pause(attempt, None, error).await?,
            }
        }
        Ok(None)
    }

    /// One attempt; `None` asks for another after a pause.
    async fn attempt(&self, request: RequestBuilder, attempt: u32) -> Result<Option<Response>> {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                self.pause(attempt, None, error.without_url()).await?;
                return Ok(None);
            }
        };
        let status = answer.status();
        if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
            return Ok(Some(answer));
        }
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        let cause = std::io::Error::other(format!("it answers {status}"));
        self.pause(attempt, seconds.map(Duration::from_secs), cause).await?;
        Ok(None)
    }

    /// Waits before the next attempt, or fails for `cause` if this was the last.
    ///
    /// # Errors
    /// [`Error::System`].
    pub async fn pause(
        &self,
        attempt: u32,
        asked: Option<Duration>,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Result<()> {
        if attempt >= ATTEMPTS_MAX {
            return Err(self.failed("get an answer", cause));
        }
        let own = PAUSE * 2_u32.pow(attempt - 1);
        let pause = asked.unwrap_or(own).min(PAUSE_MAX);
        tracing::debug!(system = self.system, attempt, cause = cause.to_string(), "trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    async fn token(&mut self) -> Result<Secret> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let (url, client_id, client_secret, refresh_token) = match &self.grant {
            Grant::Token(token) => return Ok(token.clone()),
            Grant::Asked { url, client_id, client_secret, refresh_token } => {
                (url.clone(), client_id, client_secret, refresh_token)
            }
        };
        let mut form =
            vec![("client_id", client_id.as_str()), ("client_secret", client_secret.expose())];
        match refresh_token {
            Some(token) => {
                form.extend([("grant_type", "refresh_token"), ("refresh_token", token.expose())]);
            }
            None => form.push(("grant_type", "client_credentials")),
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        for attempt in 1.. {
            let request = self.client.request(Method::POST, url.clone()).body(body.clone());
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let Some(answer) = self.attempt(request, attempt).await? else { continue };
            if !answer.status().is_success() {
                return Err(self.refused("the token", answer).await);
            }
            let answer: Value = match answer.json().await {
                Ok(answer) => answer,
                Err(error) => {
                    self.pause(attempt, None, error.without_url()).await?;
                    continue;
                }
            };
            let Some(token) = answer["access_token"].as_str().map(Secret::new) else {
                let none = std::io::Error::other("the answer holds no access_token");
                return Err(self.failed("log in", none));
            };
            self.token = Some(token.clone());
            return Ok(token);
        }
        Err(self.failed("log in", std::io::Error::other("no attempt was made")))
    }

    /// The error for an answer that says no.
    async fn refused(&self, what: &str, answer: Response) -> Error {
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let text: String = text.chars().take(QUOTED_BYTES).collect();
        self.failed("be asked", std::io::Error::other(format!("{what}: {status}: {text}")))
    }

    /// An error of this system.
    pub fn failed(
        &self,
        action: &'static str,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        Error::System { system: self.system.clone(), action, source: Box::new(cause) }
    }
}
