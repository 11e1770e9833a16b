//! Broken messages and broken statements, the same ones every time; longer with `FUZZ_SECONDS=600`.
//!
//! The libFuzzer targets in `fuzz/` drive the same two functions with coverage, where a nightly
//! compiler is at hand.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use runrate::server::fuzzing::{message, statement};

/// xorshift: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

const MESSAGES: &[&[u8]] = &[
    b"QSELECT 1\0",
    b"P\0SELECT $1\0\0\x01\0\0\0\x17",
    b"B\0\0\0\x01\0\x01\0\x01\0\0\0\x04\0\0\0\x07\0\x01\0\x01",
    b"DS\0",
    b"E\0\0\0\0\x05",
    b"CSname\0",
    b"S",
    b"H",
    b"X",
    b"d1\t2\n",
    b"c",
    b"fno\0",
    b"F\0\0\0\x01\0\0\0\0\0\0\0\0",
    b"pSCRAM-SHA-256\0\0\0\0\x04n,,n",
];

const STATEMENTS: &[&str] = &[
    "SELECT a, count(*) FILTER (WHERE b > 1.5e3) FROM crm.leads WHERE c IN (1, 2) GROUP BY 1",
    "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t, t u",
    "SELECT 'it''s' || E'\\n' || $$x$$ || U&'\\0041', x'0f', \"A b\".c::numeric(10, 2)[1:2]",
    "SELECT * FROM forecast('demand.b', 'm', 'v', 12, group_by => (a, b)) f LEFT JOIN LATERAL x ON true",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1; FETCH 5 FROM c; MOVE ALL IN c; CLOSE c",
    "COPY (SELECT 1) TO STDOUT (FORMAT csv, HEADER true)",
    "SELECT CASE WHEN a BETWEEN 1 AND 2 THEN interval '1 day' END OVER (PARTITION BY b ORDER BY c)",
    "SELECT /* a /* b */ c */ -- d\n -1 AS \"x\", ARRAY[1, 2][1], ROW(1, 2), t.* FROM t",
    "SET LOCAL TIME ZONE 'UTC'; SHOW ALL; BEGIN; SAVEPOINT a; ROLLBACK TO a; COMMIT",
];

/// Changes a few bytes: flips, cuts, doubles, inserts, or joins with another.
fn mutated(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.next(4) {
        let at = random.next(bytes.len() + 1);
        match random.next(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.next(8),
            1 => bytes.truncate(at),
            2 => {
                let part = bytes[at..].to_vec();
                bytes.extend_from_slice(&part);
            }
            3 => bytes.insert(at, [0, 0xff, 0x7f, b'(', b'\'', b'"', b'$', b'-'][random.next(8)]),
            4 => {
                let from = random.next(other.len() + 1);
                bytes.splice(at.., other[from..].iter().copied());
            }
            5 => bytes.splice(at..at, b"\xff\xff\xff\xff".iter().copied()).for_each(drop),
            _ => {
                let end = at + random.next(bytes.len() - at + 1);
                bytes.drain(at..end);
            }
        }
    }
    bytes.truncate(64 << 10);
    bytes
}

#[test]
fn no_message_and_no_statement_panics() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let limit = Duration::from_secs(seconds.unwrap_or(3));
    let (begun, mut random, mut count) = (Instant::now(), Random(0x9e37_79b9_7f4a_7c15), 0_u64);
    // Parsing is recursive: it gets the stack that it has on a connection's thread.
    let work = move || {
        while begun.elapsed() < limit {
            let of = |random: &mut Random| MESSAGES[random.next(MESSAGES.len())];
            let bytes = mutated(of(&mut random), of(&mut random), &mut random);
            let outcome = catch_unwind(AssertUnwindSafe(|| message(&bytes)));
            assert!(outcome.is_ok(), "message {bytes:?}");
            let of = |random: &mut Random| STATEMENTS[random.next(STATEMENTS.len())].as_bytes();
            let bytes = mutated(of(&mut random), of(&mut random), &mut random);
            let outcome = catch_unwind(AssertUnwindSafe(|| statement(&bytes)));
            assert!(outcome.is_ok(), "statement {:?}", String::from_utf8_lossy(&bytes));
            count += 2;
        }
        count
    };
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(work).expect("a thread");
    let count = thread.join().expect("no panic");
    assert!(count > 1_000, "{count} inputs");
    eprintln!("{count} inputs in {:?}", begun.elapsed());
}
