//! Nobody is heard before login, and encryption cannot be tricked: facts measured on other servers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runrate::config::Config;
use runrate::server::{Server, roles};
use runrate::session::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::NoTls;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::harness::{Company, PASSWORD, PATIENCE, ROLE, until};
use crate::raw::{Raw, faults, has_answer, message, query, ssl_request, startup, untyped};

const SQL: &str = "SELECT 4711";

#[tokio::test(flavor = "multi_thread")]
async fn sql_after_a_failed_login_is_never_run() {
    let company = Company::serve(|_, _| {}).await;
    // A wrong proof, with SQL right behind it.
    let mut raw = Raw::connect(company.address).await;
    raw.send(&startup(ROLE, "runrate")).await;
    raw.scram("wrong password").await;
    raw.send(&query(SQL)).await;
    let answer = raw.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "28P01".to_owned())]);
    assert!(!has_answer(&answer), "{answer:?}");
    // An unknown role gets the same answer, at the same point.
    let mut raw = Raw::connect(company.address).await;
    raw.send(&startup("nobody", "runrate")).await;
    raw.scram("wrong password").await;
    raw.send(&query(SQL)).await;
    let answer = raw.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "28P01".to_owned())]);
    assert!(!has_answer(&answer));
    // A mechanism that is none, a password in clear text, SQL instead of an answer, SQL at once.
    let texts = [
        (message(b'p', b"PLAIN\0\0\0\0\0"), "08P01"),
        (message(b'p', b"secret\0"), "08P01"),
        (query(SQL), "08P01"),
        (message(b'P', b"\0SELECT 1\0\0\0"), "08P01"),
    ];
    for (bytes, sqlstate) in texts {
        let mut raw = Raw::connect(company.address).await;
        let mut all = startup(ROLE, "runrate");
        all.extend_from_slice(&bytes);
        all.extend_from_slice(&query(SQL));
        raw.send(&all).await;
        let answer = raw.rest().await;
        assert_eq!(faults(&answer), [("FATAL".to_owned(), sqlstate.to_owned())]);
        assert!(!has_answer(&answer), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_before_login_is_fatal() {
    let company = Company::serve(|_, _| {}).await;
    let mut unterminated = 196_608_i32.to_be_bytes().to_vec();
    unterminated.extend_from_slice(b"user\0slt");
    let cases = [
        (startup(ROLE, "other"), "3D000"),
        (startup("", "runrate"), "28000"),
        (untyped(&[0, 2, 0, 0]), "0A000"),
        (untyped(&unterminated), "08P01"),
        (vec![0x7f, 0xff, 0xff, 0xff], "08P01"),
        (vec![0, 0, 0, 3], "08P01"),
    ];
    for (bytes, sqlstate) in cases {
        let mut raw = Raw::connect(company.address).await;
        raw.send(&bytes).await;
        raw.send(&query(SQL)).await;
        let answer = raw.rest().await;
        assert_eq!(faults(&answer), [("FATAL".to_owned(), sqlstate.to_owned())], "{bytes:?}");
        assert!(!has_answer(&answer), "{bytes:?}");
    }
    // A store of roles that went bad lets nobody new in, and those it knew still have to prove it.
    let path = company.engine.config().roles_path();
    std::fs::write(&path, "slt nonsense\n").expect("writes");
    let mut raw = Raw::connect(company.address).await;
    raw.send(&startup(ROLE, "runrate")).await;
    raw.scram("wrong password").await;
    let answer = raw.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "28P01".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_before_login_has_a_limit_and_malformed_ones_end_only_themselves() {
    let company = Company::serve(|_, _| {}).await;
    for length in [-1_i32, 0, 3, 20_000, i32::MAX] {
        let mut raw = Raw::connect(company.address).await;
        raw.send(&startup(ROLE, "runrate")).await;
        let mut bytes = vec![b'p'];
        bytes.extend_from_slice(&length.to_be_bytes());
        raw.send(&bytes).await;
        let answer = raw.rest().await;
        assert_eq!(faults(&answer), [("FATAL".to_owned(), "08P01".to_owned())], "{length}");
    }
    for kind in b"QPBDECHSFdcfX\0\xff" {
        for body in
            [&b""[..], b"\0", b"\0\0\xff\xff", b"\xff\xff\xff\xff\xff\xff", b"a\0b\0\x7f\xff"]
        {
            let mut raw = Raw::logged_in(company.address).await;
            raw.send(&message(*kind, body)).await;
            raw.send(&message(b'X', b"")).await;
            raw.rest().await;
        }
    }
    let client = company.driver().await;
    client.simple_query(SQL).await.expect("the server lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_let_go_and_few_are_kept() {
    let company = Company::serve(|config, _| {
        config.login_timeout_ms = 3_000;
        config.connections_unauthenticated_max = 2;
    })
    .await;
    let mut silent = [Raw::connect(company.address).await, Raw::connect(company.address).await];
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = Raw::connect(company.address).await;
    let answer = third.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "53300".to_owned())]);
    let begun = Instant::now();
    assert!(silent[0].rest().await.is_empty());
    assert!(begun.elapsed() < PATIENCE);
    until("their place", async || log_in(&company).await).await;
}

/// Logs in and goes away; `None` if it is refused.
async fn log_in(company: &Company) -> Option<()> {
    tokio_postgres::connect(&company.connection(PASSWORD), NoTls).await.ok().map(drop)
}

/// A certificate for `localhost` in `folder`; the files of its chain and key.
pub fn certify(folder: &Path, config: &mut Config) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).expect("writes");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("writes");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    config.tls_certificate = Some(chain);
    config.tls_key = Some(key);
    made.cert.pem()
}

/// A connector that trusts `pem` alone.
pub fn connector(pem: &str) -> TlsConnector {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate"))
        .expect("added");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_before_encryption_cannot_enter_it() {
    let mut pem = String::new();
    let company = Company::serve(|config, folder| pem = certify(folder, config)).await;
    // SSLRequest with a start-up and a query in the same segment.
    let mut raw = Raw::connect(company.address).await;
    let mut bytes = ssl_request();
    bytes.extend_from_slice(&startup(ROLE, "runrate"));
    bytes.extend_from_slice(&query(SQL));
    raw.send(&bytes).await;
    let answer = raw.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "08P01".to_owned())]);
    // Without them it works.
    let mut raw = Raw::connect(company.address).await;
    raw.send(&ssl_request()).await;
    assert_eq!(raw.0.read_u8().await.expect("an answer"), b'S');
    let name = "localhost".try_into().expect("a name");
    let stream = connector(&pem).connect(name, raw.0).await.expect("encrypted");
    let mut raw = Raw(stream);
    raw.send(&startup(ROLE, "runrate")).await;
    raw.scram(crate::harness::PASSWORD).await;
    raw.until(b'Z').await;
    raw.send(&query(SQL)).await;
    let answer = raw.until(b'Z').await;
    assert!(answer.iter().any(|m| m.kind == b'D' && m.body.ends_with(b"4711")), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_encryption_is_required_nothing_goes_without() {
    let company = Company::serve(|config, folder| {
        certify(folder, config);
        config.tls_required = true;
    })
    .await;
    let mut raw = Raw::connect(company.address).await;
    raw.send(&startup(ROLE, "runrate")).await;
    let answer = raw.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "28000".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_could_not_be_safe_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let base = Config {
        lake: folder.path().join("lake").to_string_lossy().into_owned(),
        listen: "127.0.0.1:0".into(),
        http: "127.0.0.1:0".into(),
        ..Config::default()
    };
    let refusal = |config: Config| async move {
        let engine = Engine::open(config, vec![], vec![]).await.expect("a lake");
        Server::bind(engine).await.expect_err("refused").to_string()
    };
    assert!(refusal(base.clone()).await.contains("runrate role add"), "no role");
    roles::add(&base.roles_path(), "ana", "correct horse").expect("a role");
    let everywhere = Config { listen: "0.0.0.0:0".into(), ..base.clone() };
    assert!(refusal(everywhere).await.contains("tls_certificate"), "no certificate");
    let http = Config { http: "0.0.0.0:0".into(), ..base.clone() };
    assert!(refusal(http).await.contains("loopback"), "health for everybody");
    let mut config = base.clone();
    certify(folder.path(), &mut config);
    let key = config.tls_key.clone().expect("a key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    assert!(refusal(config.clone()).await.contains("0644"), "a key that others read");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    std::fs::write(&key, "no key").expect("writes");
    assert!(refusal(config).await.contains("not a PEM private key"), "no key");
    let path = base.roles_path();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
    assert!(refusal(base).await.contains("0640"), "roles that others read");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_shown_how_roles_log_in() {
    let company = Company::serve(|_, _| {}).await;
    let client = company.driver().await;
    for table in ["pg_authid", "pg_roles"] {
        let sql = format!("SELECT rolname, rolpassword FROM pg_catalog.{table}");
        let rows = client.query(&sql, &[]).await.expect(table);
        for row in rows {
            assert_eq!(row.get::<_, Option<&str>>(1), None, "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_answer_on_their_own_port() {
    let company = Company::serve(|_, _| {}).await;
    drop(company.driver().await.simple_query(SQL).await);
    for (path, wanted) in [
        ("/livez", "200"),
        ("/readyz", "200"),
        ("/metrics", "runrate_queries_total"),
        ("/x", "404"),
    ] {
        let mut socket = tokio::net::TcpStream::connect(company.http).await.expect("connects");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("asks");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("answers");
        assert!(answer.contains(wanted), "{path}: {answer}");
    }
}

/// A login that fails, and how long its answer took.
async fn fail(address: std::net::SocketAddr, user: &str, password: &str) -> (String, Duration) {
    let begun = Instant::now();
    let mut raw = Raw::connect(address).await;
    raw.send(&startup(user, "runrate")).await;
    raw.scram(password).await;
    let answer = raw.rest().await;
    let [(severity, sqlstate)] = &faults(&answer)[..] else { panic!("{answer:?}") };
    assert_eq!(severity, "FATAL");
    (sqlstate.clone(), begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_login_waits_and_takes_nobodys_place() {
    let company = Company::serve(|config, _| {
        config.connections_max = 1;
        config.connections_unauthenticated_max = 1;
        config.login_failure_delay_ms = 3_000;
    })
    .await;
    let least = Duration::from_secs(3);
    let begun = Instant::now();
    let mut failing = Raw::connect(company.address).await;
    failing.send(&startup(ROLE, "runrate")).await;
    failing.scram("wrong password").await;
    until("its place, free while it waits", async || log_in(&company).await).await;
    assert!(failing.0.try_read(&mut [0]).is_err(), "it still waits");
    assert_eq!(faults(&failing.rest().await), [("FATAL".to_owned(), "28P01".to_owned())]);
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
    // Unknown users wait alike.
    let (sqlstate, waited) = fail(company.address, "nobody", "wrong password").await;
    assert_eq!(sqlstate, "28P01");
    assert!(waited >= least, "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_fails_too_often_is_not_heard() {
    let company = Company::serve(|config, _| {
        config.login_failures_max = 3;
        config.login_failure_delay_ms = 0;
    })
    .await;
    for _ in 0..3 {
        assert_eq!(fail(company.address, ROLE, "wrong password").await.0, "28P01");
    }
    // Not even with the right password, and before any exchange.
    let mut raw = Raw::connect(company.address).await;
    raw.send(&startup(ROLE, "runrate")).await;
    raw.send(&query(SQL)).await;
    let answer = raw.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "28000".to_owned())]);
    assert!(answer.iter().all(|message| message.kind == b'E'), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_inside_encryption_can_be_bound_to_it() {
    use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256_PLUS};
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    use sha2::{Digest, Sha256};
    let mut pem = String::new();
    let company = Company::serve(|config, folder| pem = certify(folder, config)).await;
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let right = Sha256::digest(&certificate).to_vec();
    let plain = ("SCRAM-SHA-256", ChannelBinding::unrequested());
    let cases = [
        ((SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(right)), None),
        ((SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(vec![0; 32])), Some("28P01")),
    ];
    let encrypted = || async {
        let mut raw = Raw::connect(company.address).await;
        raw.send(&ssl_request()).await;
        assert_eq!(raw.0.read_u8().await.expect("an answer"), b'S');
        let name = "localhost".try_into().expect("a name");
        let mut raw = Raw(connector(&pem).connect(name, raw.0).await.expect("encrypted"));
        raw.send(&startup(ROLE, "runrate")).await;
        raw
    };
    for ((mechanism, binding), refusal) in cases {
        let mut raw = encrypted().await;
        raw.scram_as(crate::harness::PASSWORD, mechanism, binding).await;
        let answer = raw.until(b'Z').await;
        let refused = faults(&answer).into_iter().map(|(_, sqlstate)| sqlstate).next();
        assert_eq!(refused.as_deref(), refusal, "{answer:?}");
    }
    // "I could have, but you did not offer it": somebody in between took the offer away.
    let mut raw = encrypted().await;
    drop(raw.next().await.expect("an offer"));
    let scram = postgres_protocol::authentication::sasl::ScramSha256::new(b"x", plain.1);
    let mut first = plain.0.as_bytes().to_vec();
    first.push(0);
    first.extend_from_slice(&(scram.message().len() as i32).to_be_bytes());
    first.extend_from_slice(scram.message());
    raw.send(&message(b'p', &first)).await;
    let answer = raw.rest().await;
    assert_eq!(faults(&answer), [("FATAL".to_owned(), "08P01".to_owned())]);
}
