//! From the start-up message to a role: SCRAM-SHA-256, and nothing before it.
//!
//! Whatever goes wrong here is FATAL and ends the connection; there is no state in which a client
//! that did not log in could be heard.
//! Inside TLS the exchange is offered bound to the certificate too, so that a client that asks for it
//! notices anybody in between.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use tokio::io::{AsyncWriteExt, WriteHalf};

use super::Shared;
use super::connection::login_event;
use super::fault::Fault;
use super::framing::{Body, Frames, Stream, invalid};
use super::metrics::METRICS;
use super::outbox::Outbox;
use super::roles::Verifier;
use crate::session::{Access, CATALOG};

const MECHANISM: &str = "SCRAM-SHA-256";
/// The same, bound to the encryption it runs in.
const MECHANISM_BOUND: &str = "SCRAM-SHA-256-PLUS";
const AUTHENTICATION_OK: i32 = 0;
const AUTHENTICATION_SASL: i32 = 10;
const AUTHENTICATION_SASL_CONTINUE: i32 = 11;
const AUTHENTICATION_SASL_FINAL: i32 = 12;
/// Newest minor version of protocol 3 that is spoken.
const MINOR_MAX: i32 = 2;

/// What a start-up message asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Startup {
    pub(super) user: String,
    /// Settings, in order: those of `options` first.
    pub(super) settings: Vec<(String, String)>,
    /// Minor version of protocol 3.
    pub(super) minor: i32,
    /// Protocol options that are not known here.
    unknown_options: Vec<String>,
}

impl Startup {
    /// Reads the start-up message `body` of protocol `version`.
    ///
    /// # Errors
    /// FATAL 0A000 for another protocol, 28000 without a user, 3D000 for another database.
    pub(super) fn parse(version: i32, body: Bytes) -> Result<Self, Fault> {
        let (major, minor) = (version >> 16, version & 0xffff);
        if major != 3 {
            let message = format!(
                "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2"
            );
            return Err(Fault::fatal("0A000", message));
        }
        let (mut user, mut database) = (String::new(), None);
        let (mut options, mut settings, mut unknown_options) = (vec![], vec![], vec![]);
        let mut body = Body(body);
        loop {
            let name = body.text()?;
            if name.is_empty() {
                break;
            }
            let value = body.text()?;
            match name.as_str() {
                "user" => user = value,
                "database" => database = Some(value),
                "options" => options = parse_options(&value)?,
                "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
                "replication" => {
                    return Err(Fault::fatal("0A000", "replication is not available"));
                }
                _ if name.starts_with("_pq_.") => unknown_options.push(name),
                _ => settings.push((name, value)),
            }
        }
        if !body.0.is_empty() {
            return Err(invalid("invalid startup packet layout: expected terminator as last byte"));
        }
        if user.is_empty() {
            return Err(Fault::fatal("28000", "no user name was given"));
        }
        if let Some(database) = database.filter(|name| name != CATALOG) {
            let message = format!("database \"{database}\" does not exist");
            let hint = format!("The database is called {CATALOG}.");
            return Err(Fault::fatal("3D000", message).with_hint(hint));
        }
        options.append(&mut settings);
        Ok(Self { user, settings: options, minor, unknown_options })
    }
}

/// Settings of `-c name=value` and `--name=value`; a backslash keeps the space behind it.
fn parse_options(text: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut words = vec![];
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            ' ' | '\t' | '\n' if word.is_empty() => {}
            ' ' | '\t' | '\n' => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    let mut settings = vec![];
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let assignment = match (word.as_str(), word.strip_prefix("--"), word.strip_prefix("-c")) {
            ("-c", ..) => words.next(),
            (_, Some(rest), _) | (_, None, Some(rest)) => Some(rest.to_owned()),
            _ => None,
        };
        let Some((name, value)) = assignment.as_deref().and_then(|text| text.split_once('='))
        else {
            let message = format!("invalid command-line argument for server process: {word}");
            return Err(Fault::fatal("42601", message));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Somebody who says who they are.
pub(super) struct Attempt {
    pub(super) startup: Startup,
    pub(super) peer: IpAddr,
    pub(super) is_encrypted: bool,
}

/// Who was let in: the start-up message, and the rights of its role with the edition they are from.
pub(super) type Admitted = (Startup, (u64, Access));

/// Takes the user of `attempt` through SCRAM-SHA-256.
///
/// # Errors
/// FATAL 28P01 for a wrong password or an unknown user alike, 28000 for an address that failed too
/// often, 08P01 for anything else than an answer of the exchange; each with the time that its answer
/// has to wait.
pub(super) async fn log_in(
    shared: &Shared,
    attempt: Attempt,
    frames: &mut Frames,
    writer: &mut WriteHalf<Stream>,
) -> Result<Admitted, (Fault, Duration)> {
    let Attempt { startup, peer, is_encrypted } = attempt;
    let fail = |fault: Fault, delay| {
        METRICS.logins_failed.add(1);
        tracing::warn!(user = startup.user, %peer, sqlstate = fault.sqlstate, "login failed");
        login_event(shared, &startup.user, &peer.to_string(), &fault.sqlstate);
        (fault, delay)
    };
    if let Some(left) = shared.throttle.refused(peer, Instant::now()) {
        let fault = Fault::fatal("28000", "too many failed logins from this address");
        let hint = format!("Try again in {} seconds.", left.as_secs() + 1);
        return Err(fail(fault.with_hint(hint), Duration::ZERO));
    }
    // Taken before the roles: a change in between is then followed once more.
    let edition = shared.roles.edition();
    let roles = Box::pin(shared.roles.current(&shared.engine)).await;
    // An operator sits at the machine; from elsewhere there is no such role.
    let access = roles.access(&startup.user);
    let access = access.filter(|access| !access.is_admin() || peer.to_canonical().is_loopback());
    let verifier = roles.verifier(&startup.user).filter(|_| access.is_some());
    let encryption = shared.encryption();
    let exchange = encryption.exchange(is_encrypted);
    let known = verifier.cloned().ok_or_else(|| shared.pretender.verifier(&startup.user));
    let proven = prove(&startup, known, &exchange, frames, writer).await;
    match (proven, access) {
        (Ok(true), Some(access)) => {
            shared.throttle.succeeded(&startup.user, peer);
            Ok((startup, (edition, access)))
        }
        (Ok(_), _) => {
            let message = format!("password authentication failed for user \"{}\"", startup.user);
            let delay = shared.throttle.failed(&startup.user, peer, Instant::now());
            Err(fail(Fault::fatal("28P01", message), delay))
        }
        (Err(fault), _) => Err(fail(fault, Duration::ZERO)),
    }
}

/// Runs the exchange and tells the client if it succeeded; whether it did.
///
/// With a made-up verifier (`Err`) every step is the same, and none succeeds.
async fn prove(
    startup: &Startup,
    known: Result<Verifier, Verifier>,
    exchange: &ScramServerAuth,
    frames: &mut Frames,
    writer: &mut WriteHalf<Stream>,
) -> Result<bool, Fault> {
    let mut outbox = Outbox::default();
    if startup.minor > MINOR_MAX || !startup.unknown_options.is_empty() {
        outbox.negotiate_version(startup.minor.min(MINOR_MAX), &startup.unknown_options);
    }
    let offered = match exchange.supports_channel_binding() {
        true => format!("{MECHANISM_BOUND}\0{MECHANISM}\0\0"),
        false => format!("{MECHANISM}\0\0"),
    };
    outbox.authentication(AUTHENTICATION_SASL, offered.as_bytes());
    let mut first = Body(answer(&mut outbox, frames, writer).await?);
    let mechanism = first.text()?;
    let is_bound = mechanism == MECHANISM_BOUND && exchange.supports_channel_binding();
    if mechanism != MECHANISM && !is_bound {
        return Err(invalid("client selected an invalid SASL authentication mechanism"));
    }
    let length = usize::try_from(first.i32()?).map_err(|_| malformed())?;
    let first = first.bytes(length)?;
    // Whoever chose the bound exchange binds it, and nobody else does.
    if first.starts_with(b"p=") != is_bound {
        return Err(malformed());
    }
    let is_known = known.is_ok();
    let (Ok(verifier) | Err(verifier)) = known;
    let (challenge, waiting) = exchange
        .on_client_first_message_with_secret(&first, verifier.secret())
        .map_err(|_| malformed())?;
    outbox.authentication(AUTHENTICATION_SASL_CONTINUE, challenge.as_bytes());
    let last = answer(&mut outbox, frames, writer).await?;
    let (Ok(proof), true) = (waiting.on_client_final_message(&last), is_known) else {
        return Ok(false);
    };
    outbox.authentication(AUTHENTICATION_SASL_FINAL, proof.as_bytes());
    outbox.authentication(AUTHENTICATION_OK, &[]);
    writer.write_all(&outbox.bytes).await.map_err(|_| gone())?;
    Ok(true)
}

/// Sends what is in `outbox`; the client's next answer.
async fn answer(
    outbox: &mut Outbox,
    frames: &mut Frames,
    writer: &mut WriteHalf<Stream>,
) -> Result<Bytes, Fault> {
    writer.write_all(&outbox.bytes).await.map_err(|_| gone())?;
    outbox.bytes.clear();
    match frames.next().await? {
        Some(frame) if frame.kind == b'p' => Ok(frame.body),
        Some(frame) => {
            let message = format!("expected SASL response, got message type {}", frame.kind);
            Err(invalid(&message))
        }
        None => Err(gone()),
    }
}

fn malformed() -> Fault {
    invalid("malformed SCRAM message")
}

fn gone() -> Fault {
    Fault::fatal("08006", "connection to client lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(fields: &[&str]) -> Result<Startup, Fault> {
        let mut body: Vec<u8> = fields.iter().flat_map(|f| f.bytes().chain([0])).collect();
        body.push(0);
        Startup::parse(3 << 16, body.into())
    }

    #[test]
    fn options_become_settings_before_the_named_ones() {
        let startup = parse(&[
            "user",
            "ana",
            "database",
            "runrate",
            "application_name",
            "psql",
            "options",
            r"-c statement_timeout=5s --search-path=mart -cDateStyle=ISO,\ DMY",
        ])
        .expect("sound");
        let settings: Vec<_> =
            startup.settings.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let expected = [
            ("statement_timeout", "5s"),
            ("search_path", "mart"),
            ("DateStyle", "ISO, DMY"),
            ("application_name", "psql"),
        ];
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_cannot_start_is_fatal() {
        let cases = [
            (parse(&["database", "runrate"]), "28000"),
            (parse(&["user", "ana", "database", "postgres"]), "3D000"),
            (parse(&["user", "ana", "replication", "true"]), "0A000"),
            (parse(&["user", "ana", "options", "-x"]), "42601"),
            (Startup::parse(2 << 16, Bytes::from_static(b"\0")), "0A000"),
            (Startup::parse(3 << 16, Bytes::from_static(b"user\0ana")), "08P01"),
            (Startup::parse(3 << 16, Bytes::from_static(b"user\0ana\0\0x")), "08P01"),
        ];
        for (outcome, sqlstate) in cases {
            let fault = outcome.expect_err(sqlstate);
            assert_eq!((fault.severity.as_str(), fault.sqlstate.as_str()), ("FATAL", sqlstate));
        }
    }
}
